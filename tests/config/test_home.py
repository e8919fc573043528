"""RETORT_HOME: what is made, how private it is, and what is said when it cannot be used."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from config.environment import database
from config.home import FOLDERS, EmbeddedError, Home, environment, locked


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_home_created_is_private_to_its_owner(tmp_path):
    home = Home(tmp_path / "a home")
    home.create()
    assert {mode(path) for path in [home.path, *(home.path / name for name in FOLDERS)]} == {0o700}
    files = [home.secret_key, home.log_key, home.pseudonym_key, home.passwords_file]
    assert {mode(path) for path in files} == {0o600}


def test_home_created_twice_keeps_its_secrets(tmp_path):
    home = Home(tmp_path / "h")
    home.create()
    before = [path.read_bytes() for path in [home.secret_key, home.log_key, home.pseudonym_key, home.passwords_file]]
    home.create()
    after = [path.read_bytes() for path in [home.secret_key, home.log_key, home.pseudonym_key, home.passwords_file]]
    assert after == before


def test_home_created_by_many_at_once_has_one_set_of_secrets(tmp_path):
    home = Home(tmp_path / "h")
    with ThreadPoolExecutor(8) as pool:
        environments = list(pool.map(lambda _: tuple(environment(home).values()), range(16)))
    assert len(set(environments)) == 1


def test_log_key_is_an_ed25519_key(tmp_path):
    home = Home(tmp_path / "h")
    home.create()
    key = load_pem_private_key(home.log_key.read_bytes(), password=None)
    assert type(key).__name__ == "Ed25519PrivateKey"


def test_missing_key_of_an_existing_database_is_refused(tmp_path):
    home = Home(tmp_path / "h")
    home.create()
    home.postgres.mkdir()
    (home.postgres / "PG_VERSION").write_text("18\n")
    home.log_key.unlink()
    with pytest.raises(EmbeddedError) as refusal:
        home.create()
    assert str(refusal.value) == f"{home.log_key} is missing although the database exists: restore it from your backup"


def test_home_on_a_file_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "h").write_text("")
    with pytest.raises(EmbeddedError, match="cannot be used: File exists"):
        Home(tmp_path / "h").create()


def test_home_of_somebody_else_is_refused(tmp_path, monkeypatch):
    home = Home(tmp_path / "h")
    home.create()
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000)
    with pytest.raises(EmbeddedError, match=r"belongs to user .* and this is user number 4000000"):
        home.create()


def test_database_url_of_a_path_with_a_space_is_read_back_by_the_settings(tmp_path, monkeypatch):
    home = Home(tmp_path / "a Home")
    monkeypatch.setenv("URL", environment(home)["DATABASE_URL"])
    found = database("URL")
    assert (found["HOST"], found["USER"], found["NAME"], found["PASSWORD"], found["PORT"]) == (
        str(home.sockets),
        "retort_app",
        "retort",
        home.password("retort_app"),
        "5432",
    )


def test_sockets_of_a_long_path_move_to_a_short_private_folder(tmp_path):
    home = Home(tmp_path / ("long" * 30))
    home.create()
    folder = home.sockets
    assert (len(str(folder)) < 60, mode(folder), home.sockets) == (True, 0o700, folder)
    folder.rmdir()
    assert home.sockets != folder
    home.sockets.rmdir()


def test_lock_held_refuses_another_that_does_not_wait(tmp_path):
    with locked(tmp_path / "lock"), pytest.raises(BlockingIOError), locked(tmp_path / "lock", wait=False):
        pass
