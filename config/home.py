"""RETORT_HOME: the one folder with everything an installation keeps, its keys and the passwords of its servers.

Imports no Django, so that settings, the supervisor and the tests can stand on it.
"""

import importlib.resources
import json
import os
import pwd
import secrets
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from pathlib import Path
from typing import Any
from urllib.parse import quote

CHECKOUT = Path(__file__).resolve().parent.parent
FOLDERS = ["keys", "vault", "incoming", "telemetry", "renders", "checkpoints", "logs", "run", "signer"]
ROLES = ["postgres", "retort_owner", "retort_app", "retort_audit", "valkey"]
DATABASE = "retort"
POSTGRES_SOCKET = ".s.PGSQL.5432"
VALKEY_SOCKET = "valkey.sock"
SIGNER_SOCKET = "signer.sock"
WEB_THREADS = 8  # of each web process; detection.turns divides them among keys
MAX_SOCKET_PATH = 107  # sun_path holds 108 bytes, the closing NUL among them (unix(7))


class EmbeddedError(Exception):
    """Something about the folder or its servers that a person has to settle; the text is one sentence for them."""


@dataclass(frozen=True)
class Home:
    """Paths under RETORT_HOME. Nothing is made before `create`."""

    path: Path

    @property
    def keys(self) -> Path:
        return self.path / "keys"

    @property
    def secret_key(self) -> Path:
        return self.keys / "secret_key"

    @property
    def log_key(self) -> Path:
        """Ed25519 signing key of the log, PEM (PKCS 8)."""
        return self.keys / "log_ed25519"

    @property
    def log_public_key(self) -> Path:
        """The log's public keys, one a line, oldest first; the signer writes it."""
        return self.keys / "log_ed25519.pub"

    @property
    def signer(self) -> Path:
        """What the signer remembers: the checkpoint it signed last."""
        return self.path / "signer"

    @property
    def signer_socket(self) -> Path:
        """Where the signer listens."""
        return self.sockets / SIGNER_SOCKET

    @property
    def pseudonym_key(self) -> Path:
        """32 random bytes as 64 hexadecimal digits."""
        return self.keys / "pseudonym"

    @property
    def second_factor_key(self) -> Path:
        """32 random bytes as 64 hexadecimal digits: what second factors are encrypted under."""
        return self.keys / "second_factor"

    @property
    def passwords_file(self) -> Path:
        return self.path / "passwords.json"

    @property
    def first_run_file(self) -> Path:
        return self.path / "first-run.txt"

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def valkey(self) -> Path:
        return self.path / "valkey"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def run(self) -> Path:
        return self.path / "run"

    def create(self) -> None:
        """Make folders, keys and passwords that are not there yet, private to their owner. Safe to repeat and at once.

        Raises:
            EmbeddedError: the folder cannot be made or written, or a key of an existing database is gone.
        """
        try:
            for folder in [self.path, *(self.path / name for name in FOLDERS)]:
                folder.mkdir(mode=0o700, parents=folder == self.path, exist_ok=True)
            self._check_owner()
            with locked(self.run / "home.lock"):
                self._create_secrets()
        except OSError as error:
            raise EmbeddedError(
                f"RETORT_HOME={self.path} cannot be used: {error.strerror or error} ({error.filename or self.path}); "
                "choose a folder that you may write to"
            ) from None

    def _check_owner(self) -> None:
        owner = self.path.stat().st_uid
        if owner != os.geteuid():
            raise EmbeddedError(
                f"RETORT_HOME={self.path} belongs to {_user_name(owner)} and this is {_user_name(os.geteuid())}: "
                "run Retort as its owner or choose another RETORT_HOME"
            )

    def _create_secrets(self) -> None:
        makers: dict[Path, Callable[[], str]] = {
            self.secret_key: lambda: secrets.token_urlsafe(50),
            self.log_key: _ed25519_pem,
            self.pseudonym_key: lambda: secrets.token_hex(32),
            self.passwords_file: lambda: json.dumps({role: secrets.token_hex(24) for role in ROLES}, indent=2),
        }
        if os.environ.get("RETORT_LOG_KEY_FILE") or os.environ.get("RETORT_SIGNER_SOCKET"):
            del makers[self.log_key]  # it is kept elsewhere, where this user perhaps cannot even look
        # Newer than the first installations, so made there too. A new one in a lost one's place cannot read what was
        # encrypted under that: people then sign in after an administrator has reset their second factor.
        if not self.second_factor_key.exists():
            write_private(self.second_factor_key, secrets.token_hex(32) + "\n")
        in_use = (self.postgres / "PG_VERSION").exists()
        for path, make in makers.items():
            if path.exists():
                continue
            if in_use:  # a new key would break the log's signatures, the pseudonyms or the sign-in to the database
                raise EmbeddedError(f"{path} is missing although the database exists: restore it from your backup")
            write_private(path, make() + "\n")

    def password(self, role: str) -> str:
        """The password of a database role, or of `valkey`.

        Raises:
            EmbeddedError: passwords.json is damaged or knows no such role.
        """
        try:
            passwords: dict[str, Any] = json.loads(self.passwords_file.read_text(encoding="utf-8"))
            return str(passwords[role])
        except (OSError, ValueError, KeyError, TypeError):
            raise EmbeddedError(
                f"{self.passwords_file} cannot be read or holds no password for {role}: restore it from your backup"
            ) from None

    @property
    def sockets(self) -> Path:
        """The private folder of the servers' sockets: `run/`, or one under the temporary folder if that is too long.

        The choice is kept in `run/sockets`, so that every process of this installation finds the same one.
        """
        note = self.run / "sockets"
        with locked(self.run / "sockets.lock"):
            kept = Path(note.read_text(encoding="utf-8")) if note.exists() else None
            if kept is not None and _is_private(kept):
                return kept
            chosen = self.run if _takes_sockets(self.run) else _temporary_folder()
            write_private(note, str(chosen))
        return chosen


def current() -> Home:
    """The home that RETORT_HOME names, relative to the checkout; `.retort/` in the checkout when unset."""
    return Home(CHECKOUT / (os.environ.get("RETORT_HOME") or ".retort"))


def environment(home: Home | None = None) -> dict[str, str]:
    """The variables that point at the embedded servers, which need not run yet. Makes the home when it is not there."""
    home = home or current()
    home.create()
    sockets = quote(str(home.sockets))

    def database(role: str) -> str:
        return f"postgresql://{role}:{home.password(role)}@/{DATABASE}?host={sockets}&port=5432"

    return {
        "DATABASE_URL": database("retort_app"),
        "RETORT_OWNER_DATABASE_URL": database("retort_owner"),
        "RETORT_AUDIT_DATABASE_URL": database("retort_audit"),
        "BROKER_URL": f"redis+socket://:{home.password('valkey')}@{sockets}/{VALKEY_SOCKET}",
    }


def plotly_folder() -> str:
    """The folder inside the plotly package that holds plotly.min.js."""
    return str(importlib.resources.files("plotly") / "package_data")


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 in one step: readers see the old content or the whole new one, also after a crash."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).rename(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in the folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, *, shared: bool = False, wait: bool = True) -> Iterator[int]:
    """Hold a lock on a file, and give the descriptor it hangs on: a child that inherits that holds the lock too.

    The kernel lets go of it when the last of them ends, however it ends.

    Raises:
        BlockingIOError: somebody else holds it and `wait` is false.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        flock(descriptor, (LOCK_SH if shared else LOCK_EX) | (0 if wait else LOCK_NB))
        yield descriptor
    finally:
        os.close(descriptor)


def _ed25519_pem() -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii").strip()


def _user_name(uid: int) -> str:
    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user number {uid}"


def _is_private(folder: Path) -> bool:
    """Whether the folder is there, ours and closed to others; a link is not taken."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    found = folder.stat()
    return found.st_uid == os.geteuid() and found.st_mode & 0o077 == 0


def _takes_sockets(folder: Path) -> bool:
    """Whether a server can listen here: a short path, plain to PostgreSQL's list syntax, on a fitting file system."""
    probe = folder / f"{POSTGRES_SOCKET}.lock"
    if len(os.fsencode(probe)) > MAX_SOCKET_PATH or any(sign in str(folder) for sign in ",\"'\\\n"):
        return False
    probe = folder / f".probe-{os.getpid()}"
    try:
        with socket.socket(socket.AF_UNIX) as trial:
            trial.bind(str(probe))
    except OSError:
        return False
    finally:
        probe.unlink(missing_ok=True)
    return True


def _temporary_folder() -> Path:
    for parent in [os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"]:  # noqa: S108 - mode 0700, random name
        if parent and os.access(parent, os.W_OK) and len(os.fsencode(parent)) < MAX_SOCKET_PATH - 40:
            return Path(tempfile.mkdtemp(prefix="retort-", dir=parent))
    raise EmbeddedError(
        "no folder for the servers' sockets was found: set TMPDIR to a writable folder with a short path"
    )
