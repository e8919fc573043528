"""Commands on people as they are typed: standard input, output, exit by CommandError, and the first run."""

import io
import stat
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from people.models import ApiToken, User, digest
from spine.models import LogEntry
from tests.factories import PASSWORD, Cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password as one line on standard input."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))


@pytest.fixture
def passwords() -> Path:
    path: Path = settings.HOME.path / "first-run.txt"
    path.unlink(missing_ok=True)
    return path


def test_create_user_reads_the_password_and_says_what_it_did(typed: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_user", "nina", "--role", "counsel", "--name", "Nina")
    person = User.objects.get()
    assert (person.role, str(person), person.check_password(PASSWORD)) == ("counsel", "Nina", True)
    assert capsys.readouterr() == ("", "Created nina as counsel.\n")
    assert LogEntry.objects.get().actor == "system:command"


def test_create_user_says_a_refusal_as_one_sentence(typed: None, cast: Cast) -> None:
    with pytest.raises(CommandError, match=r"^The name lead is taken\.$"):
        call_command("create_user", "lead", "--role", "reader")


def test_create_user_names_the_roles_it_accepts(typed: None) -> None:
    with pytest.raises(CommandError, match=r"administrator.*case_lead.*analyst.*counsel.*reader"):
        call_command("create_user", "nina", "--role", "owner")


def test_set_password_replaces_it(typed: None, cast: Cast) -> None:
    cast.lead.set_unusable_password()
    cast.lead.save()
    call_command("set_password", "lead")
    cast.lead.refresh_from_db()
    assert cast.lead.check_password(PASSWORD)


def test_create_token_prints_the_token_alone(cast: Cast, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_token", "reader", "--name", "notebook")
    printed = capsys.readouterr()
    assert (printed.err, ApiToken.objects.get().sha256) == ("", digest(printed.out.rstrip("\n")))


def test_first_run_makes_five_people_whose_passwords_only_the_owner_reads(passwords: Path) -> None:
    call_command("first_run")
    lines = [line.split() for line in passwords.read_text().splitlines()]
    assert stat.S_IMODE(passwords.stat().st_mode) == 0o600
    roles = ["administrator", "case_lead", "analyst", "counsel", "reader"]
    assert [line[2] for line in lines] == roles
    for username, password, role in lines:
        person = User.objects.get(username=username)
        assert (person.check_password(password), person.role) == (True, role)
    assert LogEntry.objects.filter(action="person.created", actor="system:first-run").count() == 5


def test_first_run_keeps_passwords_that_a_killed_one_wrote(passwords: Path) -> None:
    call_command("first_run")
    first = passwords.read_text()
    User.objects.all().delete()
    call_command("first_run")
    assert passwords.read_text() == first


def test_first_run_leaves_an_installation_with_people_alone(passwords: Path, cast: Cast) -> None:
    call_command("first_run")
    assert (User.objects.count(), passwords.exists()) == (5, False)
