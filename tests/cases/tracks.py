"""Counsel tracks for tests, by the real verbs."""

from cases.actions import counsel as verbs
from cases.models import Case, CounselMember, CounselNote, CounselTrack
from people.models import User
from tests.factories import Cast


def make_track(case: Case, cast: Cast) -> CounselTrack:
    """The track of a case, opened by counsel."""
    return verbs.open_track(
        case, actor=cast.counsel, purpose="Advice on the terms of use.", direction="The general counsel"
    )


def write_note(track: CounselTrack, actor: User, text: str = "The terms may not bind the reseller.") -> CounselNote:
    """A note of this text."""
    return verbs.add_note(track, actor=actor, topic="Assent", text=text, direction="The general counsel")


def let_in(track: CounselTrack, cast: Cast, person: User) -> CounselMember:
    """A membership by name."""
    return verbs.add_member(track, actor=cast.counsel, person=person, reason="Works at our direction.")
