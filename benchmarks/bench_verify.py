"""P7: verify.py on a package against sha256sum of the same bytes, each as a whole process, the best of three in turn.

Prediction before the first run: about 1.2, because both spend their time in SHA-256 and verify.py adds one start of
Python and one Ed25519 verification. Seen: 0.5, because OpenSSL uses the processor's SHA instructions and coreutils of
this system does not. RETORT_BENCH_MEGABYTES sets the size.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.cases.dossier.packages import FINGERPRINT, sealed

MEGABYTES = int(os.environ.get("RETORT_BENCH_MEGABYTES", "256"))
FILES = 64
RUNS = 3


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="retort-bench-") as folder:
        package = made(Path(folder))
        verify = Path(__file__).parent.parent / "cases" / "dossier" / "package_files" / "verify.py"
        ours = [sys.executable, "-I", "-S", str(verify), "--key", FINGERPRINT, str(package)]
        pairs = [(seconds(ours), seconds(["sha256sum", str(package)])) for _ in range(RUNS)]
    best, limit = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
    print(f"verify_over_sha256sum {best / limit:.2f} ratio {MEGABYTES}MB")
    print(f"verify_seconds {best:.2f} s {MEGABYTES}MB")
    print(f"sha256sum_seconds {limit:.2f} s {MEGABYTES}MB")


def made(folder: Path) -> Path:
    """A sealed package of this many megabytes of exhibits."""
    payload: dict[str, bytes | Path] = {}
    for number in range(FILES):
        file = folder / f"exhibit-{number}"
        file.write_bytes(os.urandom(MEGABYTES * 1_000_000 // FILES))
        payload[f"data/evidence/exhibit-{number:03d}.bin"] = file
    return sealed(folder, payload).package.path


def seconds(command: list[str]) -> float:
    """Wall time of a process that must succeed."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
