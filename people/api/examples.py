"""An example of each write about people that says none beside itself, by operation; tests send every one."""

from typing import Any

EXAMPLES: dict[str, tuple[str, Any]] = {
    "POST people/me/mail/confirm/": ("what the mailed link carries", {"proof": "…"}),
}
