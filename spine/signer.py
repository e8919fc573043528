"""The signer: alone reads the log's key, and signs a checkpoint only as a proven continuation of its last one.

A process of its own, best under an operating-system user of its own (docs/operate.md). It knows no Django and no
database: what it signed last stands in its own folder, written to the disk before the signature leaves. The protocol
is one JSON document a line, question and answer, over a Unix socket.
"""

import contextlib
import json
import os
import socketserver
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from spine import checkpoint, keyring, merkle
from spine.checkpoint import NotAccepted
from spine.keyring import Handover, PublicKey

LONGEST_QUESTION = 64 * 1024
SECONDS = 5.0
MOST_STEPS = 128
STATE = "state.json"


class Refusal(Exception):  # noqa: N818 - what the signer answers
    """Why nothing is signed, in a sentence."""


@dataclass(frozen=True)
class State:
    """What this signer signed last, and by which keys before."""

    origin: str = ""
    size: int = 0
    root: str = ""
    note: str = ""
    handovers: list[dict[str, Any]] = field(default_factory=list)


class Signer:
    """Answers questions; the only writer of the state, the key and the file of public keys."""

    def __init__(self, folder: Path, key_file: Path, public_file: Path) -> None:
        self.folder = folder
        self.key_file = key_file
        self.public_file = public_file
        self._lock = threading.Lock()
        self._last_refusal: dict[str, Any] | None = None
        self._finish_rotation()
        self._publish()

    def answer(self, question: Any) -> dict[str, Any]:
        """The answer to one question; {"refused": why} to what it does not do."""
        verbs: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "sign": self._sign,
            "rotate": self._rotate,
            "status": self._status,
        }
        with self._lock:
            try:
                if not isinstance(question, dict) or question.get("do") not in verbs:
                    raise Refusal("the question is not one of sign, rotate, status")
                return verbs[str(question["do"])](question)
            except (Refusal, NotAccepted) as refusal:
                self._last_refusal = {"at": int(time.time()), "why": str(refusal)}
                return {"refused": str(refusal)}
            except OSError as error:
                return {"refused": f"the signer cannot read or write its files: {error.strerror}"}

    def _sign(self, asked: dict[str, Any]) -> dict[str, Any]:
        origin, size, root = _origin(asked), _size(asked), _hash(asked.get("root"))
        proof = asked.get("proof")
        if not isinstance(proof, list) or len(proof) > MOST_STEPS:
            raise Refusal("the proof is not a list of hashes")
        state = self._state()
        if not state.origin:
            state = self._first(origin, asked.get("previous"))
        if origin != state.origin:
            raise Refusal(f"unknown origin: this signer signs for {state.origin} alone")
        if size < state.size:
            raise Refusal(f"the log is shorter than what was signed: {size} entries, {state.size} were signed")
        if size == state.size:
            if root.hex() != state.root:
                raise Refusal(f"another root was signed for {size} entries")
            return {"note": state.note}
        steps = [_hash(step) for step in proof]
        if state.size and not merkle.is_consistent(state.size, size, bytes.fromhex(state.root), root, steps):
            raise Refusal(f"the proof does not show the {state.size} entries signed last as the beginning of {size}")
        note = checkpoint.sign(origin, size, root, self._key())
        self._keep(State(origin, size, root.hex(), note, state.handovers))
        return {"note": note}

    def _first(self, origin: str, previous: Any) -> State:
        """Without memory, take up where a checkpoint of this very key left off; without one, begin."""
        if previous is None:
            return State(origin)
        if not isinstance(previous, str):
            raise Refusal("the previous checkpoint is not a note")
        found = keyring.verify(previous, self._keys())
        return State(found.origin, found.size, found.root.hex(), found.note)

    def _rotate(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Hand over to a new key, unless the key named by `from` has handed over already."""
        state = self._state()
        current = self._keys()[-1]
        if asked.get("from") == current.fingerprint:
            if not state.size:
                raise Refusal("nothing has been signed yet: a key without signatures is simply replaced")
            if state.size <= current.after:
                raise Refusal("the present key has signed nothing yet")
            new = Ed25519PrivateKey.generate()
            statement = keyring.hand_over(state.origin, state.size, self._key(), new)
            _write_private(self._next_key, _pem(new))
            self._keep(State(state.origin, state.size, state.root, state.note, [*state.handovers, _plain(statement)]))
            self._finish_rotation()
            self._publish()
        return self._status(asked)

    def _status(self, _: dict[str, Any]) -> dict[str, Any]:
        state = self._state()
        keys = [
            {"public": key.public.hex(), "fingerprint": key.fingerprint, "after": key.after} for key in self._keys()
        ]
        return {
            "origin": state.origin,
            "size": state.size,
            "root": state.root,
            "note": state.note,
            "keys": keys,
            "handovers": state.handovers,
            "last_refusal": self._last_refusal,
        }

    # Files

    def _state(self) -> State:
        """Read anew each time, so that what stands on the disk decides and nothing else."""
        path = self.folder / STATE
        if not path.exists():
            return State()
        try:
            return State(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            raise Refusal(f"{STATE} of the signer is damaged: restore it from the backup; nothing is signed") from None

    def _keep(self, state: State) -> None:
        _write_private(self.folder / STATE, json.dumps(asdict(state), indent=1) + "\n")

    def _key(self) -> Ed25519PrivateKey:
        return checkpoint.load_private_key(self.key_file)

    def _keys(self) -> list[PublicKey]:
        return keyring.read(self.public_file)

    @property
    def _next_key(self) -> Path:
        return self.key_file.with_name(f"{self.key_file.name}.next")

    def _finish_rotation(self) -> None:
        """Put the new key in its place once the hand-over stands in the state; a killed signer does so at its start."""
        if not self._next_key.exists():
            return
        new = checkpoint.public_bytes(checkpoint.load_private_key(self._next_key)).hex()
        handovers = self._state().handovers
        if not handovers or handovers[-1]["new"] != new:
            self._next_key.unlink()  # made, and then killed before anything was signed over it
            return
        old = checkpoint.fingerprint(bytes.fromhex(handovers[-1]["old"]))
        kept = self.key_file.with_name(f"{self.key_file.name}.{old[:16]}")
        if not kept.exists():
            kept.hardlink_to(self.key_file)
        self._next_key.replace(self.key_file)
        _sync(self.key_file.parent)

    def _publish(self) -> None:
        """The file of public keys beside the private one: what it lists stays, a new key is added."""
        known = keyring.read(self.public_file) if self.public_file.exists() else []
        public = checkpoint.public_bytes(self._key())
        handovers = self._state().handovers
        if known and known[-1].public == public:
            return
        if handovers:
            keys = [PublicKey(bytes.fromhex(handovers[0]["old"]), 0)]
            keys += [PublicKey(bytes.fromhex(one["new"]), one["size"]) for one in handovers]
        else:
            keys = [PublicKey(public, 0)]
        if keys[-1].public != public or [key.public for key in known] != [key.public for key in keys[: len(known)]]:
            raise NotAccepted(f"{self.public_file.name} lists another key than {self.key_file.name} holds")
        _write_private(self.public_file, "".join(key.line for key in keys), mode=0o644)


def serve(signer: Signer, address: Path, *, mode: int = 0o600) -> None:
    """Answer on the socket until the process is ended. A client that is slow or talks nonsense disturbs no other."""

    class Handler(socketserver.StreamRequestHandler):
        timeout = SECONDS

        def handle(self) -> None:
            with contextlib.suppress(OSError):
                line = self.rfile.readline(LONGEST_QUESTION)
                if not line:  # somebody looked whether anybody listens
                    return
                try:
                    question = json.loads(line) if line.endswith(b"\n") else None
                except (ValueError, RecursionError):
                    question = None
                self.wfile.write(json.dumps(signer.answer(question)).encode() + b"\n")

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True
        request_queue_size = 64

        def server_bind(self) -> None:
            before = os.umask(0o777 & ~mode)  # never open to others, not even for a moment
            try:
                super().server_bind()
            finally:
                os.umask(before)

    address.unlink(missing_ok=True)
    with Server(str(address), Handler) as server:
        address.chmod(mode)
        try:
            server.serve_forever()
        finally:
            address.unlink(missing_ok=True)


def _origin(asked: dict[str, Any]) -> str:
    origin = asked.get("origin")
    if not isinstance(origin, str) or not checkpoint.ORIGIN.fullmatch(origin):
        raise Refusal("the origin is not `retort/log/<16 hex>`")
    return origin


def _size(asked: dict[str, Any]) -> int:
    size = asked.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 < size < 10**18:
        raise Refusal("the size is not a number of entries")
    return size


def _hash(value: Any) -> bytes:
    try:
        found = bytes.fromhex(value) if isinstance(value, str) and len(value) == 64 else b""
    except ValueError:
        found = b""
    if len(found) != 32 or found.hex() != value:
        raise Refusal("a hash is 64 lower-case hexadecimal digits")
    return found


def _plain(statement: Handover) -> dict[str, Any]:
    whole = asdict(statement)
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in whole.items()}


def _pem(key: Ed25519PrivateKey) -> str:
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*form).decode("ascii")


def _write_private(path: Path, text: str, *, mode: int = 0o600) -> None:
    """The whole new content or the old one, also after a crash, and on the disk when this returns."""
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
