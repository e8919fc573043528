"""Beat for a machine whose clock is set back: nothing waits until an hour that was noted before comes again."""

import time
from typing import Any

from celery.beat import PersistentScheduler, ScheduleEntry


class Entry(ScheduleEntry):
    """What is sent at intervals. A last time in the future is of another clock, and counts as now."""

    def is_due(self) -> Any:
        """Whether it is due, and the seconds until it is asked again."""
        now = self.default_now()
        self.last_run_at = min(self.last_run_at or now, now)
        return super().is_due()


class Scheduler(PersistentScheduler):
    """Makes its queue of times anew when the clock has gone back since the last look."""

    Entry = Entry
    _looked_at = 0.0

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        """Send what is due; gives the seconds until the next look."""
        now = time.time()
        if now < self._looked_at:
            self._heap = None
        self._looked_at = now
        return super().tick(*args, **kwargs)
