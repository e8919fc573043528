"""PostgreSQL's programs on the embedded database, as its owner: `python -m config.embedded pg_dump --file F`."""

import os
import subprocess
import sys

from config import embedded, home
from config.embedded import binaries
from config.home import DATABASE, EmbeddedError, Home


def main(arguments: list[str]) -> int:
    """The program's exit code; the servers are started for it when they do not run, and stopped after it."""
    if not arguments or not binaries.program(arguments[0]).exists():
        known = ", ".join(sorted(path.name for path in binaries.program("psql").parent.iterdir()))
        raise EmbeddedError(f"name one of PostgreSQL's programs: {known}")
    where = home.current()
    with embedded.attach(where):
        program = str(binaries.program(arguments[0]))
        return subprocess.run([program, *arguments[1:]], env={**os.environ, **_address(where)}, check=False).returncode


def _address(where: Home) -> dict[str, str]:
    """The owner's connection as libpq reads it from the environment, so that no password stands on a command line."""
    return {
        "PGHOST": str(where.sockets),
        "PGPORT": "5432",
        "PGUSER": "retort_owner",
        "PGPASSWORD": where.password("retort_owner"),
        "PGDATABASE": DATABASE,
    }


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except EmbeddedError as error:
        sys.exit(f"retort: {error}")
