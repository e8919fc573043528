"""A real time-stamp authority on this machine: `openssl ts -reply` behind a small HTTP server, honest or not."""

import os
import shutil
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CONFIGURATION = """
[tsa]
default_tsa = local
[local]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ordering = yes
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""
Key = ec.EllipticCurvePrivateKey


class Authority:
    """Serves on a free port of 127.0.0.1 until `close`. `mood` says how it answers, `skew` how wrong its clock is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mood = "honest"
        self.skew = ""
        self.asked = 0
        self.roots = folder / "roots.pem"
        _certify(folder)
        (folder / "serial").write_text("01\n")
        (folder / "tsa.cnf").write_text(CONFIGURATION.format(folder=folder))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._lock = threading.Lock()
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/tsa"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reply(self, query: bytes) -> bytes:
        """The DER response to a DER query, by openssl, on a clock that may be wrong."""
        with self._lock:
            (self.folder / "query.tsq").write_bytes(query)
            names = ["-inkey", "tsa.key", "-signer", "tsa.pem", "-config", "tsa.cnf", "-section", "local"]
            self._openssl("-reply", "-queryfile", "query.tsq", "-out", "reply.tsr", *names, skewed=bool(self.skew))
            return (self.folder / "reply.tsr").read_bytes()

    def query(self, digest: str) -> bytes:
        """A query of openssl's own about a SHA-256, with a nonce of its own."""
        with self._lock:
            self._openssl("-query", "-digest", digest, "-sha256", "-cert", "-out", "other.tsq")
            return (self.folder / "other.tsq").read_bytes()

    def _openssl(self, *arguments: str, skewed: bool = False) -> None:
        variables = {**os.environ, **(clock(self.skew) if skewed else {})}
        command = [shutil.which("openssl") or "openssl", "ts", *arguments]
        subprocess.run(command, cwd=self.folder, env=variables, check=True, capture_output=True)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                authority.asked += 1
                query = self.rfile.read(int(self.headers["Content-Length"]))
                status, body = 200, b""
                match authority.mood:
                    case "honest":
                        body = authority.reply(query)
                    case "out of order":
                        status = 500
                    case "garbage":
                        body = os.urandom(900)
                    case "endless":
                        body = bytes(200_000)
                    case "another nonce":
                        imprint = query[query.index(b"\x04\x20") + 2 :][:32]
                        body = authority.reply(authority.query(imprint.hex()))
                    case "another digest":
                        body = authority.reply(authority.query("00" * 32))
                    case "redirect":
                        self.send_response(302)
                        self.send_header("Location", authority.url + "/elsewhere")
                        self.end_headers()
                        return
                    case "slow":
                        time.sleep(3)
                        body = authority.reply(query)
                self.send_response(status)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        return Handler


def clock(skew: str) -> dict[str, str]:
    """Variables under which a program sees another time."""
    import libfaketime

    told = dict(libfaketime.get_reload_information()[1]) if libfaketime.get_reload_information()[0] else {}
    return {**told, "FAKETIME": skew, "FAKETIME_DONT_RESET": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def _certify(folder: Path) -> None:
    """A root of its own and a signer under it, valid for ten years to either side of now."""
    root_key, signer_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate("Local test root", root_key, "Local test root", root_key, is_root=True)
    signer = _certificate("Local test authority", signer_key, "Local test root", root_key, is_root=False)
    pem = serialization.Encoding.PEM
    (folder / "roots.pem").write_bytes(root.public_bytes(pem))
    (folder / "tsa.pem").write_bytes(signer.public_bytes(pem))
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "tsa.key").write_bytes(signer_key.private_bytes(pem, *plain))


def _certificate(subject: str, key: Key, issuer: str, signing_key: Key, *, is_root: bool) -> x509.Certificate:
    now = datetime.now(UTC).replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=3650))
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not is_root,
                content_commitment=not is_root,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=is_root,
                crl_sign=is_root,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    if not is_root:
        stamping = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(stamping, critical=True)
    return builder.sign(signing_key, hashes.SHA256())
