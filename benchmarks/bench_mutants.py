"""Changes packages of twenty shapes in 200,000 ways; counts what verify.py accepts, or refuses without the file's name.

Each has a set's statement, schedules, and proofs of samples; among the ways are lies that the right key sealed.

Fails when there is one. Stops early after RETORT_BENCH_SECONDS (default 600) and says how far it came.
"""

import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from cases.dossier.package_files import verify
from tests.cases.dossier import mutants, packages
from tests.cases.dossier.mutants import Mutant
from tests.cases.dossier.packages import FINGERPRINT, Sample

SHAPES = 20
SECONDS = float(os.environ.get("RETORT_BENCH_SECONDS", "600"))


def main() -> int:
    """Print the figures; 1 when a mutant was accepted, or refused without its file's name."""
    # The same signature over the same text is checked again and again; this changes the speed alone.
    verify.ed25519_holds = lru_cache(maxsize=1 << 16)(verify.ed25519_holds)
    tried, shapes, accepted, unnamed, begun = 0, 0, [], [], time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / mutants.ZIP
        for shape, mutant in ((n, m) for n in range(SHAPES) for m in _mutants(Path(name), n)):
            place.unlink(missing_ok=True)  # to write over a file can wait for the disk
            place.write_bytes(mutant.content)
            report = verify.verify(str(place), FINGERPRINT)
            named = " ".join(f"{line.subject} {line.text}" for line in report.failures)
            tried, shapes = tried + 1, shape + 1
            if report.accepted:
                accepted.append(mutant.what)
            elif mutant.named not in named and mutant.instead not in named:
                unnamed.append(mutant.what)
            if time.monotonic() - begun > SECONDS:
                break
    size = f"{tried} mutants of packages of {shapes} shapes"
    print(f"package_mutants_accepted {len(accepted)} count {size}")
    print(f"package_mutants_refused_without_the_file {len(unnamed)} count {size}")
    print(f"package_mutants_checked {tried / (time.monotonic() - begun):.0f} 1/s {size}")
    for what in [*accepted, *unnamed][:20]:
        sys.stderr.write(f"{what}\n")
    return 1 if accepted or unnamed else 0


def _mutants(folder: Path, shape: int) -> Iterator[Mutant]:
    """About ten thousand for each shape: every structural one, then bits drawn from content and container."""
    draw = random.Random(shape)
    sample, other = _sample(folder / "one", draw), _sample(folder / "other", draw)
    content = sample.package.path.read_bytes()
    yield from mutants.of_files(sample, other)
    yield from mutants.of_manifests(sample)
    yield from mutants.of_proofs(sample)
    yield from mutants.of_names(sample)
    yield from mutants.of_container(content)
    yield from mutants.of_samples(folder / "lies", draw, 300)
    each = max(4, 330 // len(sample.files))
    for bit in range(8):
        yield from mutants.content_flips(sample, lambda _, size: _drawn(draw, size, each), bit)
        yield from mutants.raw_flips(content, _drawn(draw, len(content), 700), bit)


def _drawn(draw: random.Random, size: int, count: int) -> list[int]:
    return draw.sample(range(size), min(size, count))


def _sample(folder: Path, draw: random.Random) -> Sample:
    payload: dict[str, bytes | Path] = {
        f"data/{draw.choice(['', 'schedules/', 'evidence/A/'])}{number}-{draw.getrandbits(24):x}.bin": draw.randbytes(
            draw.choice([0, 1, 63, 64, 65, 1000, 20_000])
        )
        for number in range(draw.randint(2, 24))
    }
    return packages.sealed_with(folder, payload | packages.sampled_payload(packages.sampled(draw)))


if __name__ == "__main__":
    sys.exit(main())
