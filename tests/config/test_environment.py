"""Settings from the environment: what is accepted, and what a refusal names."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import environment
from spine import destinations


@pytest.mark.parametrize(
    "value", ["nonsense", "ftp://retort.example.com", "https://", "https://retort.example.com/under"]
)
def test_address_that_no_browser_sends_is_refused_with_its_name(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETORT_PUBLIC_URL", value)
    with pytest.raises(ImproperlyConfigured, match=r"RETORT_PUBLIC_URL=.*is accepted"):
        environment.address("RETORT_PUBLIC_URL", "http://127.0.0.1:8000")


def test_address_loses_its_last_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETORT_PUBLIC_URL", "https://retort.example.com/")
    assert environment.address("RETORT_PUBLIC_URL", "") == "https://retort.example.com"


@pytest.mark.parametrize("value", ["tsa.example.com", "ftp://tsa.example.com/x", "https://name:word@tsa.example.com/"])
def test_web_address_that_cannot_be_asked_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETORT_TSA_URL", value)
    with pytest.raises(ImproperlyConfigured, match=r"RETORT_TSA_URL=.*is accepted"):
        environment.web_address("RETORT_TSA_URL")


def test_file_that_is_needed_and_missing_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("RETORT_TSA_CA_FILE", raising=False)
    assert environment.readable_file("RETORT_TSA_CA_FILE", needed=False, what="certificates") == ""
    for value in ("", str(tmp_path), str(tmp_path / "missing.pem")):
        monkeypatch.setenv("RETORT_TSA_CA_FILE", value)
        with pytest.raises(ImproperlyConfigured, match="readable file with certificates"):
            environment.readable_file("RETORT_TSA_CA_FILE", needed=True, what="certificates")


def test_one_bad_part_of_a_list_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETORT_CHECKPOINT_DESTINATIONS", "file:///mnt/worm ftp://example.com")
    with pytest.raises(ImproperlyConfigured, match=r"RETORT_CHECKPOINT_DESTINATIONS: 'ftp://example.com': .* accepted"):
        environment.each("RETORT_CHECKPOINT_DESTINATIONS", destinations.parse)


@pytest.mark.parametrize("value", ["mail.example.com", "smtp://", "http://mail.example.com", "smtp://a:b@host:port"])
def test_mail_server_in_another_form_is_refused_without_its_password(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETORT_EMAIL_URL", value)
    with pytest.raises(ImproperlyConfigured) as refused:
        environment.mail_server("RETORT_EMAIL_URL")
    assert str(refused.value).endswith("smtps://USER:PASSWORD@HOST:PORT is accepted")


def test_mail_server_is_read_with_its_encryption(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETORT_EMAIL_URL", "smtp+tls://name:p%40ss@mail.example.com")
    found = environment.mail_server("RETORT_EMAIL_URL")
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"], found["EMAIL_HOST_PASSWORD"]) == ("mail.example.com", 587, "p@ss")
    assert (found["EMAIL_USE_TLS"], found["EMAIL_USE_SSL"]) == (True, False)


def test_hour_of_the_day_ends_at_23(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETORT_VERIFY_HOUR", "24")
    with pytest.raises(ImproperlyConfigured, match="from 0 to 23"):
        environment.integer("RETORT_VERIFY_HOUR", 2, least=0, most=23)
