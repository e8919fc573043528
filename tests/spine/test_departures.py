"""Checkpoints leave the site: to a folder, by a real mail server, to a real bucket; failures are retried and told."""

import email
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from spine import conditions, departures, destinations, sequencer, verification
from spine.destinations import NotSent
from spine.models import Checkpoint, Departure
from tests.spine.test_bucket import KEYS, client_of, server  # noqa: F401 - a fixture
from tests.spine.test_log import ALIASES, record, tamper

pytestmark = [pytest.mark.django_db(transaction=True, databases=ALIASES), pytest.mark.usefixtures("checkpoints_apart")]


class MailServer(socketserver.ThreadingTCPServer):
    """A small SMTP server (RFC 5321) that keeps what it is given, or refuses it."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Mail)
        self.received: list[tuple[list[str], bytes]] = []
        self.refuses = False
        self.met = 0
        self.slow = 0.0
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Mail(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self.server.met += 1
        time.sleep(self.server.slow)
        self._say("220 mail.example.com ready")
        people: list[str] = []
        while line := self.rfile.readline():
            word = line.split(b" ")[0].strip().upper()
            if word == b"RCPT":
                people.append(line.decode().split("<")[1].split(">")[0])
                self._say("550 no such mailbox" if self.server.refuses else "250 ok")
            elif word == b"DATA":
                self._say("354 go on")
                body = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    body += part
                self.server.received.append((people, body))
                self._say("250 kept")
            elif word == b"QUIT":
                self._say("221 bye")
                break
            else:
                self._say("250 ok")

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


@pytest.fixture
def mail(settings: Any) -> Iterator[MailServer]:
    made = MailServer()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", made.server_address[1]
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def go_to(settings: Any) -> Any:
    """Configures destinations by their addresses."""

    def choose(*addresses: str) -> None:
        settings.CHECKPOINT_DESTINATIONS = [destinations.parse(one) for one in addresses]

    return choose


def checkpoint(name: str = "alder-1") -> Checkpoint:
    record(name)
    sequencer.sequence()
    return Checkpoint.objects.latest("size")


def name_of(found: Checkpoint) -> str:
    return f"{found.note.splitlines()[0].replace('/', '-')}-{found.size:012d}.txt"


def told() -> list[str]:
    return [row.text for row in conditions.standing() if row.name == departures.CONDITION]


def earlier(minutes: int) -> None:
    """Let everything that was tried and done have happened so much earlier."""
    past = timedelta(minutes=minutes)
    for row in Departure.objects.all():
        Departure.objects.filter(pk=row.pk).update(at=row.at - past)
    tamper("UPDATE spine_logentry SET at = at - %s", past)


def test_copy_in_a_folder_is_the_note_and_verification_compares_it(go_to: Any, tmp_path: Path) -> None:
    go_to(tmp_path.as_uri())
    made = checkpoint()
    assert (departures.send_due(), departures.send_due()) == (1, 0)
    assert (tmp_path / name_of(made)).read_text() == made.note
    row = Departure.objects.get()
    assert (row.destination, row.size, row.left, row.detail) == (tmp_path.as_uri(), 1, True, "")
    assert verification.verify().checkpoints == 4  # database, beside, signer, and the folder outside
    (tmp_path / name_of(made)).chmod(0o600)
    (tmp_path / name_of(made)).write_text(made.note.replace("\n1\n", "\n2\n"))
    assert any("signature does not hold" in str(problem) for problem in verification.verify().problems)


def test_another_history_in_the_folder_is_not_overwritten(go_to: Any, tmp_path: Path) -> None:
    go_to(tmp_path.as_uri())
    made = checkpoint()
    (tmp_path / name_of(made)).write_text("another")
    assert departures.send_due() == 0
    assert "two histories" in Departure.objects.get().detail
    assert (tmp_path / name_of(made)).read_text() == "another"


def test_copy_by_mail_reaches_the_custodian_with_the_note(go_to: Any, mail: MailServer) -> None:
    go_to("mailto:custodian@example.com")
    made = checkpoint()
    assert departures.send_due() == 1
    people, body = mail.received[0]
    message = email.message_from_bytes(body)
    attached = [part for part in message.walk() if part.get_filename()]
    assert people == ["custodian@example.com"]
    assert message["Subject"] == "Retort log checkpoint 1"
    assert [part.get_filename() for part in attached] == [name_of(made)]
    payload = attached[0].get_payload(decode=True)
    assert isinstance(payload, bytes)
    assert payload.decode().replace("\r\n", "\n") == made.note


def test_mail_that_is_refused_is_recorded_and_tried_again_with_back_off(go_to: Any, mail: MailServer) -> None:
    go_to("mailto:custodian@example.com")
    checkpoint()
    mail.refuses = True
    assert (departures.send_due(), departures.send_due()) == (0, 0)
    assert [row.detail for row in Departure.objects.all()] == [
        "the mail server did not take it (SMTPRecipientsRefused)"
    ]
    earlier(1)
    assert departures.send_due() == 0
    earlier(1)
    assert departures.send_due() == 0  # the second pause is two minutes
    assert Departure.objects.count() == 2
    mail.refuses = False
    earlier(1)
    assert departures.send_due() == 1
    assert [row.left for row in Departure.objects.order_by("at")] == [False, False, True]


def test_copy_in_a_bucket_is_locked_for_its_days(
    go_to: Any,
    server: str,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    go_to(f"s3://locked/log?endpoint={server}&region=us-east-1&lock_days=3650")
    made = checkpoint()
    assert departures.send_due() == 1
    held = client_of(server).head_object(Bucket="locked", Key=f"log/{name_of(made)}")
    assert (held["ObjectLockMode"], held["ObjectLockRetainUntilDate"].year >= 2035) == ("COMPLIANCE", True)
    destination = departures.state().outlooks[0].destination
    destination.send(name_of(made), made.note)  # the same again does no harm
    with pytest.raises(NotSent, match="two histories"):
        destination.send(name_of(made), made.note + "x")
    go_to(f"s3://nowhere/log?endpoint={server}&region=us-east-1")
    departures.send_due()
    assert Departure.objects.latest("at").detail == "the bucket did not take it (NoSuchBucket)"


def test_one_destination_that_fails_keeps_no_other_from_its_copy(go_to: Any, tmp_path: Path) -> None:
    go_to((tmp_path / "not mounted").as_uri(), tmp_path.as_uri())
    checkpoint()
    assert departures.send_due() == 1
    found = departures.state()
    assert [bool(one.last) for one in found.outlooks] == [False, True]
    assert (found.waiting_since, found.is_alarming) == (None, False)


def test_alarm_rises_after_an_hour_without_departure_and_settles_with_the_next(go_to: Any, tmp_path: Path) -> None:
    outside = tmp_path / "disk"
    go_to(outside.as_uri())
    checkpoint()
    departures.send_due()
    assert told() == []
    earlier(61)
    departures.send_due()
    assert told() == ["No copy of the log's checkpoint has left this site since ever."]
    outside.mkdir()
    earlier(31)
    assert departures.send_due() == 1
    assert told() == []


def test_a_quiet_log_whose_newest_checkpoint_left_raises_no_alarm(go_to: Any, tmp_path: Path) -> None:
    go_to(tmp_path.as_uri())
    checkpoint()
    departures.send_due()
    earlier(600)
    departures.send_due()
    assert (told(), departures.state().waiting_since) == ([], None)
    assert Departure.objects.count() == 1


def test_copies_leave_at_most_every_quarter_of_an_hour(go_to: Any, tmp_path: Path) -> None:
    go_to(tmp_path.as_uri())
    checkpoint("alder-1")
    assert departures.send_due() == 1
    checkpoint("alder-2")
    assert departures.send_due() == 0
    Departure.objects.update(at=timezone.now() - timedelta(minutes=16))
    assert departures.send_due() == 1


@pytest.mark.parametrize(
    "address",
    [
        "",
        "/mnt/worm",
        "file://host/mnt",
        "file:mnt",
        "mailto:nobody",
        "mailto:a@example.com?cc=b@example.com",
        "s3://",
        "s3://key:secret@bucket/x",
        "s3://bucket/x?lock_days=ten",
        "s3://bucket/x?endpoint=ftp://x",
        "s3://bucket/x?secret=1",
        "https://example.com/put",
    ],
)
def test_address_in_another_form_is_refused_with_what_is_accepted(address: str) -> None:
    with pytest.raises(ValueError, match="are accepted"):
        destinations.parse(address)


def test_a_port_nobody_listens_on_is_a_failure_in_words(go_to: Any, settings: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free.getsockname()[1]
    go_to("mailto:custodian@example.com")
    checkpoint()
    departures.send_due()
    assert Departure.objects.get().detail == "the mail server did not take it (ConnectionRefusedError)"
