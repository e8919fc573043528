#!/usr/bin/env python
"""Django's command line. Without DATABASE_URL it attaches to the embedded servers, or starts them for the command.

The log's signer is attached to, or started, in either case, unless RETORT_SIGNER_SOCKET names one.
"""

import os
import sys
from contextlib import nullcontext

# Commands that need no server: they read code and settings only.
OFFLINE = {
    "help",
    "--help",
    "-h",
    "version",
    "--version",
    "collectstatic",
    "verify_dossier",
    "simulate",
    "makemigrations",
    "check",
}


def main() -> None:
    """Run one management command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from config import embedded, home

    offline = len(sys.argv) < 2 or sys.argv[1] in OFFLINE or "--help" in sys.argv or "-h" in sys.argv
    own = not os.environ.get("DATABASE_URL")
    servers = nullcontext() if offline else embedded.attach(home.current(), own)
    try:
        with servers:
            execute_from_command_line(sys.argv)
    except (embedded.EmbeddedError, ImproperlyConfigured) as error:
        sys.exit(f"retort: {error}")


if __name__ == "__main__":
    main()
