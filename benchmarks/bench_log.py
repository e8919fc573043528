"""Re-verification of the log: protected rows a second of one core, rows, entries, nodes and checkpoints together.

Prediction before the first run: about 25,000, because fetching a row through the ORM costs as much as hashing it.
"""

import os
import time
from datetime import UTC, datetime

from benchmarks.apart import installation

ENTRIES, ROWS_EACH = 1_000, 50


def main() -> None:
    """Fill a log of its own and verify it, twice; the second counts, with the pages of the database in memory."""
    with installation():
        from django.db import transaction

        from detection.models import ModelRelease
        from spine import log, sequencer, verification
        from spine.principal import acting_as

        with acting_as("system:benchmark"):
            for number in range(ENTRIES):
                rows = [
                    ModelRelease(model=f"alder-{number}-{place}", released_at=datetime(2026, 5, 12, tzinfo=UTC))
                    for place in range(ROWS_EACH)
                ]
                with transaction.atomic():
                    log.record(actor="system:benchmark", action="telemetry.added", data={"count": 50}, rows=rows)
            sequencer.sequence()
            verification.verify()
            clock, processor = time.monotonic(), time.process_time()
            report = verification.verify()
            clock, processor = time.monotonic() - clock, time.process_time() - processor
        assert report.problems == []
        assert (report.rows, report.entries) == (ENTRIES * ROWS_EACH, ENTRIES)
        size = f"{report.rows}rows_{report.entries}entries"
        print(f"verify_log_rows_per_core_second {report.rows / processor:.0f} rows/s {size}")
        print(f"verify_log_rows_per_second {report.rows / clock:.0f} rows/s {size}_load{os.getloadavg()[0]:.0f}")


if __name__ == "__main__":
    main()
