"""`first_run`: the five people of a new installation, with random passwords in a file only its owner can read."""

import os
import secrets
from typing import Any

from django.conf import settings
from django.db import transaction

from people.actions import create_user
from people.models import User
from spine.management.base import RetortCommand

# Username, role and display name; usernames and roles are promised in the interfaces that must not move.
PEOPLE = [
    ("admin", "administrator", "Administrator"),
    ("lead", "case_lead", "Case lead"),
    ("analyst", "analyst", "Analyst"),
    ("counsel", "counsel", "Counsel"),
    ("reader", "reader", "Reader"),
]


class Command(RetortCommand):
    """Create the first people."""

    help = "Create the first five people, with random passwords kept in first-run.txt, unless somebody is there."
    actor = "system:first-run"

    def perform(self, **options: Any) -> None:
        path = settings.HOME.path / "first-run.txt"
        if User.objects.exists():
            return
        lines = []
        known = _remembered(path)
        for username, role, _ in PEOPLE:
            password = known.get(username) or secrets.token_urlsafe(15)
            lines.append(f"{username} {password} {role}\n")
        _write_private(path, "".join(lines))
        with transaction.atomic():
            for (username, role, name), line in zip(PEOPLE, lines, strict=True):
                create_user(actor=self.actor, username=username, role=role, password=line.split()[1], display_name=name)
        self.say(f"Created {len(PEOPLE)} people; their passwords are in first-run.txt in the data folder.")


def _remembered(path: Any) -> dict[str, str]:
    """Passwords a run that was killed had already written."""
    if not path.exists():
        return {}
    return {line.split()[0]: line.split()[1] for line in path.read_text().splitlines() if len(line.split()) == 3}


def _write_private(path: Any, content: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(content)
