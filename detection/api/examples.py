"""An example of each write of detection that says none beside itself, by operation; tests send every one."""

from typing import Any

EXAMPLES: dict[str, tuple[str, Any]] = {}
