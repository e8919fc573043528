"""Runs `benchmarks/bench_*.py` (all, or those named), shows their lines `name value unit size`, keeps them as JSON."""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Figure:
    """One measured number: what, how much, in which unit, at which size of input."""

    name: str
    value: float
    unit: str
    size: str


def main(names: list[str]) -> int:
    """Measure; 1 when a benchmark failed or said something that is no figure."""
    scripts = [
        path for path in sorted(FOLDER.glob("bench_*.py")) if not names or path.stem.removeprefix("bench_") in names
    ]
    results = [measure(path) for path in scripts]
    if not scripts:
        sys.stderr.write("no benchmark of that name\n")
    return 0 if scripts and all(results) else 1


def measure(script: Path) -> bool:
    """Run one benchmark in a process of its own, pass its lines on and write `results/<name>.json`."""
    module = f"benchmarks.{script.stem}"
    with subprocess.Popen(
        [sys.executable, "-m", module], cwd=FOLDER.parent, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        figures = [figure for line in process.stdout if (figure := read(line, script.stem)) is not None]
    if process.returncode != 0:
        sys.stderr.write(f"{script.stem} failed with {process.returncode}\n")
        return False
    results = FOLDER / "results"
    results.mkdir(exist_ok=True)
    text = json.dumps([asdict(figure) for figure in figures], indent=2) + "\n"
    (results / f"{script.stem.removeprefix('bench_')}.json").write_text(text, encoding="utf-8")
    return bool(figures)


def read(line: str, origin: str) -> Figure | None:
    """The figure in a line, which is shown; another line is shown on stderr and gives None."""
    parts = line.split(maxsplit=3)
    try:
        name, value, unit, size = parts
        figure = Figure(name, float(value), unit, size.strip())
    except ValueError:
        sys.stderr.write(f"{origin}: {line}")
        return None
    print(line, end="", flush=True)
    return figure


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
