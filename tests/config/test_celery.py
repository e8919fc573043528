"""What beat sends has a worker that knows it."""

import subprocess
import sys

ASK = """
import django
django.setup()
from config.celery import app
app.loader.import_default_modules()
print(sorted({entry["task"] for entry in app.conf.beat_schedule.values()} - set(app.tasks)))
"""


def test_a_worker_knows_every_task_of_the_schedule() -> None:
    """In a process of its own: here the tests have imported what a worker would not."""
    asked = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == "[]"
