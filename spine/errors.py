"""What a verb says when it will not act. Pages show the sentence, the API answers 409 with the same words."""

from collections.abc import Sequence


class Refused(Exception):  # noqa: N818 - the word the product uses
    """A rule does not allow this. `missing` lists what would have to be there first."""

    def __init__(self, message: str, *, missing: Sequence[str] = (), field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.missing = tuple(missing)
        self.field = field


class Conflict(Refused):
    """Somebody else was faster; the message says who and what it is now."""
