"""The way out against a real server that lies: pinned, capped, over in time, and its words name no address."""

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spine.allowlist import parse
from spine.outgoing import NoAnswer, NotAllowed, Outgoing
from tests.lying_server import Lying, running


@pytest.fixture(scope="module")
def server() -> Iterator[Lying]:
    with running() as lying:
        yield lying


@pytest.fixture
def lying(server: Lying) -> Lying:
    server.control(fresh=True, raw="hello")
    return server


def out_to(*urls: str, **given: Any) -> Outgoing:
    return Outgoing([parse(url) for url in urls], **given)


def test_answer_is_given_whole_with_headers_in_lower_case(lying: Lying) -> None:
    answer = out_to(lying.url).send("GET", f"{lying.url}/raw?a=b", headers={"X-Key": "k"}, largest=100)
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"hello", "5")
    [asked] = lying.asked()
    assert (asked["path"], asked["headers"]["X-Key"]) == ("/raw?a=b", "k")


def test_name_is_looked_up_once_and_the_connection_goes_to_what_was_checked(lying: Lying) -> None:
    port = lying.url.rpartition(":")[2]
    looked_up = []

    def resolve(host: str, at: int, **_: object) -> list[Any]:
        looked_up.append(host)  # a second question would be answered by another address
        address = "127.0.0.1" if len(looked_up) == 1 else "127.0.0.9"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, at))]

    out = out_to(f"http://findings.test:{port}=127.0.0.1/32", resolve=resolve)
    answer = out.send("GET", f"http://findings.test:{port}/raw", largest=100)
    assert (answer.body, looked_up) == (b"hello", ["findings.test"])
    assert lying.asked()[0]["headers"]["Host"] == f"findings.test:{port}"


def test_destination_that_is_not_on_the_list_is_never_asked(lying: Lying) -> None:
    for out in (out_to(), out_to("http://127.0.0.1:1"), out_to("https://example.com")):
        with pytest.raises(NotAllowed):
            out.send("GET", f"{lying.url}/raw", largest=100)
    assert lying.asked() == []


def test_redirect_is_an_answer_and_is_not_followed(lying: Lying) -> None:
    lying.control(mood="redirect", elsewhere=f"{lying.url}/raw")
    assert out_to(lying.url).send("GET", f"{lying.url}/raw", largest=100).status == 302
    assert len(lying.asked()) == 1


@pytest.mark.parametrize(
    ("mood", "says"),
    [
        ("cut", "the answer ends too early"),
        ("truncated", "the answer ends too early"),
        ("truncated chunks", "the answer ends too early"),
        ("hang", "it takes too long"),
        ("slow", "it takes too long"),
        ("slow headers", "it takes too long"),
        ("bomb", "it is longer than 1,000,000 bytes"),
        ("big", "it is longer than 1,000,000 bytes"),
        ("damaged", "its compression is damaged"),
        ("unknown encoding", "its content encoding is not known here"),
        ("nonsense", "it is no proper answer (BadStatusLine)"),
    ],
)
def test_bad_answer_is_told_in_words_and_within_its_time(mood: str, says: str, lying: Lying) -> None:
    lying.control(mood=mood)
    began = time.monotonic()
    with pytest.raises(NoAnswer) as told:
        out_to(lying.url).send("GET", f"{lying.url}/raw", largest=1_000_000, seconds=1.5)
    assert str(told.value) == says
    assert time.monotonic() - began < 5


def test_nobody_there_is_told_without_the_address() -> None:
    with pytest.raises(NoAnswer) as told:
        out_to("http://127.0.0.1:1").send("GET", "http://127.0.0.1:1/?token=secret", largest=100)
    assert str(told.value) == "the connection failed (ConnectionRefusedError)"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A certificate for findings.test, signed by itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    paths = str(folder / "cert.pem"), str(folder / "key.pem")
    subject = ["-subj", "/CN=findings.test", "-addext", "subjectAltName=DNS:findings.test"]
    made = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2", *subject]
    subprocess.run([*made, "-out", paths[0], "-keyout", paths[1]], check=True, capture_output=True)
    return paths


@pytest.fixture
def secure(certificate: tuple[str, str]) -> Iterator[int]:
    """The port of a TLS server with that certificate; it answers one line."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connected, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(connected, server_side=True) as wrapped:
                    wrapped.recv(4096)
                    wrapped.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            except OSError:
                connected.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(timeout=5)


def test_certificate_is_checked_for_the_name_at_the_pinned_address(
    secure: int, certificate: tuple[str, str], tmp_path: Path
) -> None:
    def resolve(host: str, at: int, **_: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", at))]

    names = [f"https://{name}:{secure}=127.0.0.1/32" for name in ("findings.test", "other.test")]
    trusting = out_to(*names, ca_file=certificate[0], resolve=resolve)
    assert trusting.send("GET", f"https://findings.test:{secure}/", largest=10).body == b"ok"
    with pytest.raises(NoAnswer, match="its certificate does not hold"):
        trusting.send("GET", f"https://other.test:{secure}/", largest=10)
    with pytest.raises(NoAnswer, match="its certificate does not hold"):
        out_to(*names, resolve=resolve).send("GET", f"https://findings.test:{secure}/", largest=10)


def test_handshake_that_never_ends_is_over_in_its_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(NoAnswer, match="it takes too long"):
            out_to(url).send("GET", f"{url}/", largest=10, seconds=1)
        assert time.monotonic() - began < 5
