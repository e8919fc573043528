"""An example of each write of detection that says none beside itself, by operation; tests send every one."""

from typing import Any

EXAMPLES: dict[str, tuple[str, Any]] = {
    "POST telemetry/": ("a source of its own", {"name": "another-log"}),
    "POST telemetry/<source_id>/stop/": (
        "a file that is being read",
        {"job": "01990000-0000-7000-8000-000000000001"},
    ),
}
