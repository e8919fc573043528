"""The client of clients/python: against the real server, and against one that misbehaves."""

import contextlib
import gzip
import ipaddress
import json
import logging
import os
import re
import ssl
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from detection import registry
from detection.models import Finding
from retort_client import Client, Refusal, Refused, Result, RetortError, Unavailable
from tests.detection.samples import DETECTOR, finding, line

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "clients" / "python"
KEY = "a-key-that-nobody-may-see"
on_site = pytest.mark.django_db(transaction=True, databases=["default", "owner", "audit"])


def figures(result: Result) -> tuple[int, ...]:
    return (result.received, result.created, result.duplicate, result.superseded, result.rejected)


# On the real server


@pytest.fixture
def key(live_site: str) -> str:
    return registry.create_detector(actor="user:admin", name=DETECTOR)[1]


@on_site
def test_findings_are_pushed_in_batches_and_again_without_harm(live_site: str, key: str) -> None:
    with Client(live_site, key, batch=40) as client:
        first = client.push(finding(f"f{number}") for number in range(100))
        again = client.push(line(f"f{number}") for number in range(100))
        higher = client.push([finding("f7", version=2)])

    assert (figures(first), first.errors, first.last, first.resent) == ((100, 100, 0, 0, 0), [], 100, 0)
    assert figures(again) == (100, 0, 100, 0, 0)
    assert figures(higher) == (1, 0, 0, 1, 0)
    assert Finding.objects.count() == 101


@on_site
def test_lines_arrive_byte_for_byte(live_site: str, key: str) -> None:
    sent = json.dumps(finding("spaced"), indent=None, separators=(" , ", " : ")).encode()
    with Client(live_site, key) as client:
        client.push([sent + b"\r\n"])
    assert bytes(Finding.objects.get().payload) == sent


@on_site
def test_refused_lines_have_the_callers_numbers_across_batches(live_site: str, key: str) -> None:
    def findings() -> Iterator[Mapping[str, Any] | bytes | str]:
        for number in range(1, 31):
            if number == 5:
                yield "  \n"
            elif number == 17:
                yield finding("late", window={"start": "2026-05-05T00:00:00Z", "end": "2026-05-04T00:00:00Z"})
            elif number == 29:
                yield finding("nan", score=float("nan"))
            elif number == 30:
                yield b'{"uid": '
            else:
                yield finding(f"f{number}")

    with Client(live_site, key, batch=7) as client:
        result = client.push(findings())

    assert figures(result) == (29, 26, 0, 0, 3)
    assert [refusal.line for refusal in result.errors] == [17, 29, 30]
    assert result.errors[0].pointer.startswith("/window")
    assert "NaN" in result.errors[1].detail


@on_site
def test_a_push_of_which_nothing_is_kept_raises_with_line_and_reason(live_site: str, key: str) -> None:
    with Client(live_site, key) as client, pytest.raises(Refused, match=r"line 1, /score: ") as caught:
        client.push([finding(score=2)])
    assert (figures(caught.value.result), caught.value.status) == ((1, 0, 0, 0, 1), 400)


@on_site
def test_a_key_that_opens_nothing_is_told_at_once_though_the_body_is_large(live_site: str) -> None:
    noise = [line(f"f{number}", x_noise=os.urandom(20_000).hex()) for number in range(100)]
    started = time.monotonic()
    with Client(live_site, KEY, give_up_after=60) as client, pytest.raises(Refused) as caught:
        client.push(noise)
    assert caught.value.status == 401
    assert (caught.value.result.resent, caught.value.result.last) == (0, 0)
    assert str(caught.value).startswith("lines 1 to 100: status 401: ")
    assert time.monotonic() - started < 30
    assert_hidden(KEY, caught.value)


@on_site
def test_the_example_of_the_readme_runs(live_site: str, capsys: pytest.CaptureFixture[str]) -> None:
    key = registry.create_detector(actor="user:admin", name="api-gateway")[1]
    example = re.search(r"```python\n(.*?)```", (FOLDER / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    code = example[1].replace("http://127.0.0.1:8000", live_site)

    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=FOLDER, env={"RETORT_KEY": key}, capture_output=True, text=True
    )

    assert (done.stdout, done.stderr) == ("250 250 0 0\n", "")


def command(*arguments: str, key: str, given: bytes = b"") -> tuple[int, Any, str]:
    """Run it with the standard library alone; give its exit status, the JSON it printed, and what it said."""
    argv = [sys.executable, "-S", "-m", "retort_client", "push", *arguments]
    done = subprocess.run(argv, cwd=FOLDER, env={"RETORT_KEY": key}, input=given, capture_output=True)
    return done.returncode, json.loads(done.stdout or b"null"), done.stderr.decode()


@on_site
def test_the_command_pushes_a_file_and_standard_input(live_site: str, key: str, tmp_path: Path) -> None:
    file = tmp_path / "findings.ndjson"
    file.write_bytes(line("a") + b"\n\n" + line("b", score=7) + b"\n" + line("c") + b"\n")

    status, told, said = command(str(file), "--url", live_site, key=key)
    assert (status, told["received"], told["created"], told["rejected"]) == (1, 3, 2, 1)
    assert said.startswith("line 3, /score: ")

    status, told, said = command("-", "--url", live_site, key=key, given=line("a") + b"\n" + line("c"))
    assert (status, told["received"], told["duplicate"], said) == (0, 2, 2, "")


def test_the_command_used_wrongly_says_so(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.ndjson")
    for arguments, key, told in (
        ((missing, "--url", "http://127.0.0.1:1"), KEY, "none.ndjson"),
        (("-", "--url", "http://127.0.0.1:1"), "", "RETORT_KEY"),
        (("-", "--url", "http://retort.example.org"), KEY, "https"),
        (("-", "--url", "https://retort.example.org", "--ca", missing), KEY, "No such file"),
    ):
        status, printed, said = command(*arguments, key=key)
        assert (status, printed, KEY in said) == (2, None, False)
        assert told in said


# On a server that misbehaves

Step = Callable[["Handler", bytes], None]


class Handler(BaseHTTPRequestHandler):
    """Does to each request what the next step of the server's script says."""

    protocol_version = "HTTP/1.1"
    server: "Misbehaving"

    def do_POST(self) -> None:
        body = gzip.decompress(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((time.monotonic(), dict(self.headers), body))
        (self.server.script.pop(0) if self.server.script else kept)(self, body)

    def do_GET(self) -> None:  # what some redirects would become, were they followed
        self.server.seen.append((time.monotonic(), dict(self.headers), b""))
        kept(self, b"")

    def log_message(self, *_: Any) -> None:
        pass


class Misbehaving(ThreadingHTTPServer):
    """A server on this machine that follows a script and keeps findings once it ends; remembers what it was sent."""

    daemon_threads = True

    def __init__(self, *script: Step) -> None:
        self.script = list(script)
        self.seen: list[tuple[float, dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: Any) -> None:
        pass  # a client that refuses the certificate breaks the connection


@contextlib.contextmanager
def running(*script: Step) -> Iterator[Misbehaving]:
    with Misbehaving(*script) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def answer(status: int, document: Any, **headers: str) -> Step:
    def step(handler: Handler, _: bytes) -> None:
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        handler.send_response(status)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in {"Content-Length": str(len(content)), **given}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    return step


def counted(received: int, **changes: Any) -> dict[str, Any]:
    none = {"received": received, "created": received, "duplicate": 0, "superseded": 0, "rejected": 0, "errors": []}
    return none | changes


def kept(handler: Handler, body: bytes) -> None:
    answer(201, counted(body.count(b"\n")))(handler, body)


def hung_up(handler: Handler, _: bytes) -> None:
    handler.close_connection = True


def cut_short(handler: Handler, body: bytes) -> None:
    answer(201, b'{"received": 3', Content_Length="500")(handler, body)
    handler.close_connection = True


def problem(status: int, detail: str = "Not now.", **headers: str) -> Step:
    return answer(status, {"title": "Problem", "status": status, "detail": detail}, **headers)


def assert_hidden(key: str, error: BaseException | None, *texts: str) -> None:
    """The key is in no text, nor in what the error and those behind it say."""
    shown = list(texts)
    while error is not None:
        shown += [str(error), repr(error), repr(getattr(error, "result", ""))]
        error = error.__cause__ or error.__context__
    assert [text for text in shown if key in text] == []


def test_retry_after_is_kept_to_and_the_same_batch_is_sent_again(caplog: pytest.LogCaptureFixture) -> None:
    busy = problem(503, f"Too much for {KEY}\x1b[2J", Retry_After="2")
    with running(busy) as server, Client(server.url, KEY) as client:
        result = client.push([line("a"), line("b")])

    (first, _, one), (second, _, two) = server.seen
    assert (one, two, figures(result), result.resent) == (two, one, (2, 2, 0, 0, 0), 1)
    assert second - first > 1.9
    assert "lines 1 to 2: status 503: Too much for [key] [2J; trying again in 2.0 s" in caplog.text
    assert_hidden(KEY, None, caplog.text, repr(client), repr(result))


@pytest.mark.parametrize("step", [hung_up, cut_short, problem(429), problem(502), problem(504)])
def test_what_passes_is_tried_again_until_it_is_known_what_became_of_the_batch(step: Step) -> None:
    known = answer(201, counted(3, created=0, duplicate=3))
    with running(kept, step, known) as server, Client(server.url, KEY) as client:
        client.push([line()])
        result = client.push([line("a"), line("b"), line("c")])
    assert (figures(result), result.resent, len(server.seen)) == ((3, 0, 3, 0, 0), 1, 3)


def test_waits_grow_and_differ(caplog: pytest.LogCaptureFixture) -> None:
    with running(*[hung_up] * 3) as server, Client(server.url, KEY) as client:
        client.push([line()])
    waits = [float(found) for found in re.findall(r"again in ([\d.]+) s", caplog.text)]
    for wait, most in zip(waits, (0.5, 1.0, 2.0), strict=True):
        assert most / 2 - 0.06 < wait < most + 0.06  # told with one digit


def test_a_wait_beyond_the_time_for_a_batch_is_not_begun() -> None:
    tomorrow = format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)
    for asked in ("86400", tomorrow, "9" * 400):
        with running(kept, problem(503, Retry_After=asked)) as server, Client(server.url, KEY, batch=2) as client:
            started = time.monotonic()
            with pytest.raises(
                Unavailable, match="lines 3 to 4: given up after 1 tries; status 503: Not now"
            ) as caught:
                client.push(line(f"f{number}") for number in range(10))
        assert time.monotonic() - started < 20
        assert (caught.value.result.last, caught.value.result.received, caught.value.status) == (2, 2, 503)


def test_a_server_that_is_not_there_is_given_up_in_time() -> None:
    with running() as server:
        gone = server.url
    with pytest.raises(Unavailable, match="ConnectionRefusedError"), Client(gone, KEY, give_up_after=1) as client:
        client.push([line()])


def test_a_mistake_of_the_server_is_told_and_a_later_push_goes_on() -> None:
    with running(problem(500, "A mistake.")) as server, Client(server.url, KEY) as client:
        with pytest.raises(Refused, match="line 1: status 500: A mistake") as caught:
            client.push([line("a")])
        assert figures(client.push([line("a")])) == (1, 1, 0, 0, 0)
    assert caught.value.status == 500


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    told = pytest.raises(Refused, match="redirects are not followed")
    with contextlib.ExitStack() as stack:
        elsewhere = stack.enter_context(running())
        server = stack.enter_context(running(answer(status, b"", Location=f"{elsewhere.url}/{KEY}")))
        client, caught = stack.enter_context(Client(server.url, KEY)), stack.enter_context(told)
        client.push([line()])
    assert (len(server.seen), elsewhere.seen, caught.value.status) == (1, [], status)
    assert_hidden(KEY, caught.value)


@pytest.mark.parametrize(
    "step",
    [
        answer(200, b"<html>Welcome</html>"),
        answer(201, b"[" * 100_000),
        answer(201, {"received": 1}),
        answer(201, counted(1, created=2)),
        answer(201, counted(1, created=-1, duplicate=2)),
        answer(201, counted(2)),
        answer(207, counted(1, created=0, rejected=1, errors=[{"line": 9, "pointer": "", "detail": ""}])),
        answer(204, b""),
    ],
)
def test_an_answer_that_does_not_account_for_what_was_sent_is_an_error(step: Step) -> None:
    with running(step) as server, Client(server.url, KEY) as client, pytest.raises(Refused) as caught:
        client.push([line()])
    assert figures(caught.value.result) == (0, 0, 0, 0, 0)


def test_a_batch_that_is_too_large_on_the_way_is_sent_in_halves() -> None:
    def small_door(handler: Handler, body: bytes) -> None:
        (problem(413, "Too large.") if body.count(b"\n") > 30 else kept)(handler, body)

    with running(*[small_door] * 12) as server, Client(server.url, KEY) as client:
        result = client.push(line(f"f{number}") for number in range(100))
    assert (figures(result), result.last) == ((100, 100, 0, 0, 0), 100)
    accepted = [body for _, _, body in server.seen if body.count(b"\n") <= 30]
    assert b"".join(accepted) == b"".join(line(f"f{number}") + b"\n" for number in range(100))


def test_one_finding_that_is_too_large_is_an_error_with_its_line() -> None:
    script = (kept, problem(413, "Too large."))
    with running(*script) as server, Client(server.url, KEY, batch=1) as client, pytest.raises(Refused) as caught:
        client.push([line("a"), line("b"), line("c")])
    assert str(caught.value) == "line 2: status 413: Too large."
    assert caught.value.result.last == 1


def test_a_body_that_broke_on_the_way_is_sent_in_halves() -> None:
    broken = counted(2, created=1, rejected=1, errors=[{"line": 2, "pointer": "", "detail": "the body ended"}])
    with running(answer(207, broken)) as server, Client(server.url, KEY) as client:
        result = client.push(line(f"f{number}") for number in range(4))
    assert (figures(result), result.errors, [body.count(b"\n") for *_, body in server.seen]) == (
        (4, 4, 0, 0, 0),
        [],
        [4, 2, 2],
    )


def test_reasons_are_capped_and_counts_are_not() -> None:
    def refused(handler: Handler, body: bytes) -> None:
        count = body.count(b"\n")
        errors = [{"line": 1 + n, "pointer": "/score", "detail": "no\x00 number"} for n in range(100)]
        answer(207, counted(count, created=1, rejected=count - 1, errors=errors))(handler, body)

    with running(*[refused] * 30) as server, Client(server.url, KEY, batch=200) as client:
        result = client.push(line() for _ in range(6000))
    assert (figures(result), len(result.errors)) == ((6000, 30, 0, 0, 5970), 1000)
    assert result.errors[100] == Refusal(201, "/score", "no  number")


def test_memory_does_not_grow_with_what_is_pushed() -> None:
    filler = b"x" * 10_000

    def findings() -> Iterator[bytes]:
        for number in range(2000):
            yield b'{"uid": "%d", "x": "%b"}' % (number, filler)

    with running() as server, Client(server.url, KEY, batch_bytes=256 * 1024) as client:
        server.seen = _Forgetful()
        tracemalloc.start()
        try:
            result = client.push(findings())
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert (result.received, result.resent) == (2000, 0)
    assert most < 6 * 1024 * 1024  # of 20 MB that were sent, the server's own share included


class _Forgetful(list[Any]):
    def append(self, _: Any) -> None:
        pass


def test_the_connection_is_used_again_and_made_anew_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    ports: list[int] = []

    def noted(handler: Handler, body: bytes) -> None:
        ports.append(handler.client_address[1])
        kept(handler, body)

    with running(*[noted] * 3) as server, Client(server.url, KEY) as client:
        client.push([line()])
        client.push([line()])
        monkeypatch.setattr("retort_client.client.IDLE", 0.0)
        client.push([line()])
    assert ports[0] == ports[1] != ports[2]


# What is refused before anything is sent


def test_what_json_cannot_hold_is_refused_with_its_line() -> None:
    with running() as server, Client(server.url, KEY, batch=1) as client:
        for bad in ({"uid": datetime.now(UTC)}, b'{"uid":\n"a"}', "\ud800", 7):
            with pytest.raises(Refused, match="line 3: ") as caught:
                client.push([line("a"), line("b"), bad, line("c")])  # type: ignore[list-item]
            assert caught.value.result.last == 1
        for single in (finding(), line(), "{}"):
            with pytest.raises(TypeError, match="in a list"):
                client.push(single)  # type: ignore[arg-type]
        assert figures(client.push([])) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    "url",
    [
        "retort.example.org",
        "ftp://retort.example.org",
        "https://",
        "https://name:word@retort.example.org",
        "https://retort.example.org/?key=1",
        "http://retort.example.org",
        "http://127.0.0.1.example.org",
    ],
)
def test_addresses_that_would_show_the_key_or_are_none_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"^url: ") as caught:
        Client(url, KEY)
    assert_hidden(KEY, caught.value)


def test_the_key_is_shown_nowhere() -> None:
    for bad in (f"{KEY}\r\nX-Other: 1", f"{KEY} ", f"{KEY}é", ""):
        if bad.strip() == KEY:
            assert KEY not in repr(Client("https://retort.example.org/base/", bad))
            continue
        with pytest.raises(ValueError, match=r"^key: ") as caught:
            Client("https://retort.example.org", bad)
        assert_hidden(KEY, caught.value)
    echoed = problem(403, f"Bearer {KEY} may not")
    with running(echoed) as server, Client(server.url, KEY) as client, pytest.raises(RetortError) as refused:
        client.push([line()])
    assert str(refused.value) == "line 1: status 403: Bearer [key] may not"
    assert server.seen[0][1]["Authorization"] == f"Bearer {KEY}"


# Certificates


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    private, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
    builder = builder.serial_number(7).not_valid_before(now - timedelta(days=1))
    builder = builder.not_valid_after(now + timedelta(days=1))
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=True)
    folder = tmp_path_factory.mktemp("certificate")
    (folder / "cert.pem").write_bytes(builder.sign(private, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return folder / "cert.pem", folder / "key.pem"


def test_certificates_are_checked(certificate: tuple[Path, Path], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with running() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        url = server.url.replace("http:", "https:")
        with Client(url, KEY, verify=certificate[0]) as client:
            assert figures(client.push([line()])) == (1, 1, 0, 0, 0)
        for other, verify in ((url, True), (url.replace("127.0.0.1", "localhost"), certificate[0])):
            with Client(other, KEY, verify=verify) as client, pytest.raises(Refused, match="certificate") as caught:
                client.push([line()])
            assert caught.value.result.resent == 0
    assert len(server.seen) == 1
    with pytest.raises(ValueError, match="cannot be turned off"):
        Client(url, KEY, verify=False)
    assert_hidden(KEY, caught.value, caplog.text)
