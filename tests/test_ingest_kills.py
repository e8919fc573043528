"""Findings sent while PostgreSQL, the web and the worker are killed: the longer run's own program, a short while."""

import os
import subprocess
import sys

from config.home import CHECKOUT


def test_no_acknowledged_finding_is_lost_and_none_is_stored_twice() -> None:
    variables = {**os.environ, "RETORT_BENCH_KILLS": "6", "RETORT_BENCH_LINES": "2000"}
    argv = [sys.executable, "-m", "benchmarks.bench_ingest_kills"]
    done = subprocess.run(argv, cwd=CHECKOUT, env=variables, capture_output=True, text=True, timeout=540, check=False)

    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    figures = {line.split()[0]: float(line.split()[1]) for line in done.stdout.splitlines()}
    assert (figures["ingest_kills"], figures["ingest_lost_or_doubled"]) == (6, 0)
    assert figures["ingest_lines_acknowledged"] >= 8_000
