"""Settings from the environment: what is accepted, and what a refusal names."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import environment


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
