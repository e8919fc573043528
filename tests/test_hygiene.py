"""What must be nowhere in the program, and the small promises of signing in: rows of docs/asvs.md that need a test."""

import ast
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.hashers import identify_hasher, make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from people.models import User
from spine.startup import logger as startup_logger
from tests.cases.api import client_of as key_of
from tests.cases.pages import client_of
from tests.factories import PASSWORD, Cast, make_case

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("spine", "people", "detection", "cases", "config", "clients")
SCRIPTS = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "static").glob("*.js")}
DOORS = ("views", "api", "management")
# Where numbers that are no secret may be drawn: made-up telemetry, and waiting times.
DRAWS = {f"detection/simulation/{name}.py" for name in ("campaigns", "cast", "texts", "story", "wording", "population")}
DRAWS |= {"clients/python/retort_client/client.py", "detection/pulling.py", "cases/webhook_sending.py"}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Every call with its name as it is written: `subprocess.run`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def imported(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_no_program_is_started_through_a_shell() -> None:
    shells = ("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput")
    wrong = [
        f"{path}:{call.lineno}"
        for path, tree in trees()
        for name, call in calls(tree)
        if name in shells or any(word.arg == "shell" for word in call.keywords)
    ]
    assert wrong == []


def test_nothing_is_evaluated() -> None:
    wrong = [
        f"{path}:{call.lineno}" for path, tree in trees() for name, call in calls(tree) if name in {"eval", "exec"}
    ]
    assert wrong == []
    forbidden = re.compile(r"\beval\(|new Function|innerHTML|outerHTML\s*=|insertAdjacentHTML|document\.write")
    assert [name for name, text in SCRIPTS.items() if forbidden.search(text)] == []


def test_no_pattern_is_made_from_a_text_of_a_request() -> None:
    functions = {
        f"re.{name}" for name in ("compile", "search", "match", "fullmatch", "sub", "findall", "finditer", "split")
    }
    wrong = [
        f"{path}:{call.lineno}"
        for path, tree in trees()
        if any(f"/{door}" in path for door in DOORS)
        for name, call in calls(tree)
        if name in functions and not isinstance(call.args[0], ast.Constant)
    ]
    lookups = re.compile(r"__i?regex\b|~\*?\s*%s")
    wrong += [path for path, tree in trees() if lookups.search(ast.unparse(tree))]
    assert wrong == []


def test_no_unsafe_deserialiser_is_used() -> None:
    forbidden = {"pickle", "marshal", "shelve", "dill", "yaml", "xml", "lxml", "jsonpickle"}
    assert [(path, found) for path, tree in trees() if (found := imported(tree) & forbidden)] == []
    assert (settings.CELERY_ACCEPT_CONTENT, settings.CELERY_TASK_SERIALIZER) == (["json"], "json")


def test_no_weak_hash_is_used() -> None:
    weak = re.compile(r"\bhashlib\.(md5|sha1)\b|['\"](md5|sha1)['\"]|\bhashes\.(MD5|SHA1)\b")
    assert [path for path, tree in trees() if weak.search(ast.unparse(tree))] == []


def test_no_weak_random_number_is_used_for_a_secret() -> None:
    assert {path for path, tree in trees() if "random" in imported(tree)} <= DRAWS


def test_no_certificate_check_is_turned_off() -> None:
    off = re.compile(r"verify=False|CERT_NONE|_create_unverified_context|check_hostname\s*=\s*False|use_ssl=False")
    assert [path for path, tree in trees() if off.search(ast.unparse(tree))] == []


def test_no_serializer_takes_all_fields() -> None:
    whole = re.compile(r"__all__'|^\s+exclude\s*=\s*[\[(]", re.MULTILINE)
    assert [path for path, tree in trees() if whole.search(ast.unparse(tree))] == []


def test_every_requirement_is_pinned_with_its_digest() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
        lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
        assert len(lines) > 50
        assert [line[:60] for line in lines if "==" not in line or "--hash=sha256:" not in line] == []


def test_no_script_of_ours_stores_anything_in_the_browser() -> None:
    stores = re.compile(r"localStorage|sessionStorage|indexedDB|document\.cookie|caches\.|serviceWorker")
    assert [name for name, text in SCRIPTS.items() if stores.search(text)] == []


def test_no_script_of_ours_writes_under_a_name_from_outside() -> None:
    written = {name: re.findall(r"\b(\w+\[\w+\])\s*=[^=]", text) for name, text in SCRIPTS.items()}
    # Names of axes, and of the parts of a passkey's answer: both from lists in the file.
    fixed = {"plot.js": ["made[key]"], "passkeys.js": ["parts[name]"]}
    assert {name: found for name, found in written.items() if found} == fixed


def addresses(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for item in resolver.url_patterns:
        path = prefix + str(item.pattern)
        if isinstance(item, URLResolver):
            yield from addresses(item, path)
        elif isinstance(item, URLPattern):
            yield path


def test_no_address_takes_a_secret(db: None, cast: Cast) -> None:
    secrets = {"token", "password", "secret", "code", "api_key", "session"}
    named = {word for path in addresses(get_resolver()) for word in re.findall(r"<(?:\w+:)?(\w+)>", path)}
    assert named & secrets == set()
    key = key_of(cast.lead)._credentials["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    for name in ("token", "key", "access_token", "Authorization"):
        assert Client().get(f"/api/v1/cases/?{name}={key}").status_code == 401


NOT_SERVED = (
    *("/.git/config", "/static/", "/static/../config/settings.py", "/static/%2e%2e/manage.py", "/media/", "/.env"),
    *("/config/settings.py", "/static/..%2f..%2fkeys/secret_key", "//etc/passwd", "/vault/", "/static/x.map/../../y"),
)


@pytest.mark.django_db
@pytest.mark.parametrize("address", NOT_SERVED)
def test_only_collected_files_are_served(address: str) -> None:
    answer = Client().get(address)
    assert answer.status_code in {302, 404}
    assert answer.status_code == 404 or answer["Location"].startswith("/sign-in/")


@pytest.mark.django_db
def test_a_parameter_given_twice_is_read_once(cast: Cast) -> None:
    page, ref = client_of(cast.lead), make_case(cast, accounts=["a-1", "a-2"]).ref
    assert ref in page.get("/cases/?status=closed&status=open").text
    assert ref not in page.get("/cases/?status=open&status=closed").text
    api = key_of(cast.lead)
    assert api.get("/api/v1/cases/?status=closed&status=open").json() == api.get("/api/v1/cases/?status=open").json()


# Signing in


@pytest.mark.parametrize(
    "password", ["correct horse battery staple", "ääääöööö üüüü ßßßß 1", "1" * 3 + "x7 Q" * 20, "Ω≈ç√∫˜µ≤≥÷ lunch"]
)
def test_passwords_are_judged_by_length_and_guessing_alone(password: str) -> None:
    validate_password(password, User(username="mira"))
    for weak in ("short", "password1234", "qwertyuiop12", "mira", "111111111111"):
        with pytest.raises(ValidationError):
            validate_password(weak, User(username="mira"))


def test_passwords_are_kept_by_a_slow_memory_hard_function() -> None:
    assert settings.PASSWORD_HASHERS == ["django.contrib.auth.hashers.ScryptPasswordHasher"]
    stored = make_password(PASSWORD, hasher="scrypt")
    work, block = (
        identify_hasher(stored).decode(stored)["work_factor"],
        identify_hasher(stored).decode(stored)["block_size"],
    )
    assert work * block >= 2**14 * 8


@pytest.mark.django_db
def test_a_password_is_compared_as_typed(cast: Cast) -> None:
    long = " Ünusual Spaces and Case at both ends " * 3
    cast.reader.set_password(long)
    cast.reader.save(update_fields=["password"])
    for wrong in (long.strip(), long.lower(), long[:64], long + "x"):
        assert signs_in(Client(), "reader", wrong) is False
    assert signs_in(Client(), "reader", long) is True


def signs_in(client: Client, username: str, password: str) -> bool:
    field = "login" if 'name="login"' in client.get("/sign-in/").text else "username"
    client.post("/sign-in/", {field: username, "password": password})
    return client.get("/log/").status_code == 200


@pytest.mark.django_db
def test_password_fields_are_masked_and_take_pasted_text() -> None:
    inputs = re.findall(r"<input[^>]*password[^>]*>", Client().get("/sign-in/").text)
    assert inputs
    assert [one for one in inputs if 'type="password"' not in one or 'autocomplete="current-password"' not in one] == []
    assert [name for name, text in SCRIPTS.items() if "paste" in text or "visibilitychange" in text] == []


@pytest.mark.django_db
def test_a_session_is_new_with_each_sign_in_and_gone_after_the_end(cast: Cast) -> None:
    client = Client()
    client.get("/sign-in/")
    planted = Client()
    planted.cookies[settings.SESSION_COOKIE_NAME] = "planted-by-somebody-else"
    assert signs_in(client, "lead", PASSWORD)
    assert signs_in(planted, "lead", PASSWORD)
    first = client.cookies[settings.SESSION_COOKIE_NAME].value
    second = planted.cookies[settings.SESSION_COOKIE_NAME].value
    assert len({first, second, "planted-by-somebody-else"}) == 3
    assert min(len(first), len(second)) >= 32  # of 36 letters and digits: 165 bits
    client.post("/sign-out/")
    client.cookies[settings.SESSION_COOKIE_NAME] = first
    assert client.get("/log/").status_code == 302


@pytest.mark.django_db
def test_every_page_offers_to_sign_out(cast: Cast) -> None:
    case = make_case(cast)
    for address in ("/", "/cases/", "/log/", f"/cases/{case.ref}/", f"/cases/{case.ref}/evidence/", "/nothing-here/"):
        assert 'action="/sign-out/"' in client_of(cast.lead).get(address).text, address


# Server logs


def test_logs_carry_their_time_in_utc(caplog: pytest.LogCaptureFixture) -> None:
    formatter = logging.Formatter("%(asctime)s")
    record = startup_logger.makeRecord("x", logging.INFO, "x", 1, "x", (), None)
    written = datetime.strptime(formatter.format(record)[:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - written) < timedelta(seconds=5)
    assert settings.TIME_ZONE == "UTC"


@pytest.mark.django_db
def test_a_failed_request_leaves_no_secret_in_the_server_log(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("broken for the test")

    monkeypatch.setattr("cases.access.visible_cases", broken)
    api = key_of(cast.lead)
    key = api._credentials["HTTP_AUTHORIZATION"]
    answer = api.post("/api/v1/cases/RT-2026-K7Q4M/claims/", {"rationale": "a secret of the case"})
    client = Client(raise_request_exception=False)
    client.force_login(cast.lead)
    client.post("/cases/RT-2026-K7Q4M/edit/", {"title": "a secret of the case", "password": "hunter2 hunter2"})
    assert answer.status_code == 500
    assert "broken for the test" in caplog.text
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    assert [word for word in (key, session, "a secret of the case", "hunter2") if word in caplog.text] == []
