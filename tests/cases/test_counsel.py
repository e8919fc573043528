"""The counsel track: who is let in, what is written, corrected and exported, and that strangers find nothing."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.http import Http404
from django.utils import timezone

from cases import counsel
from cases.actions import counsel as verbs
from cases.models import Case, CaseMember, CounselExport, CounselNote, CounselTrack
from people.models import User
from spine.errors import Conflict, Refused
from spine.ids import new_id
from spine.models import LogEntry
from spine.principal import acting_as
from tests.cases.tracks import let_in, make_track, write_note
from tests.factories import Cast, add_exhibit, make_case, make_person, provider_ids

pytestmark = pytest.mark.django_db


@pytest.fixture
def case(cast: Cast) -> Case:
    return make_case(cast)


@pytest.fixture
def track(cast: Cast, case: Case) -> CounselTrack:
    return make_track(case, cast)


def outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except Http404:
        return "404"
    except PermissionDenied:
        return "403"
    return "found"


def test_only_counsel_finds_the_track_before_others_are_let_in(cast: Cast, track: CounselTrack) -> None:
    found = [outcome(lambda one=one: counsel.door_for(one, track.case.ref)) for one in cast.all()]

    assert found == ["404", "404", "404", "found", "404"]


def test_a_case_without_a_track_looks_the_same_to_all_others(cast: Cast, case: Case) -> None:
    found = [outcome(lambda one=one: counsel.door_for(one, case.ref)) for one in cast.all()]

    assert found == ["404", "404", "404", "found", "404"]
    assert outcome(lambda: counsel.track_for(cast.counsel, case.ref)) == "404"


def test_a_member_let_in_reads_and_writes_until_the_membership_ends(cast: Cast, track: CounselTrack) -> None:
    member = let_in(track, cast, cast.lead)
    note = write_note(track, cast.lead)
    verbs.end_member(member, actor=cast.counsel, reason="The schedule is done.")

    assert note.author == cast.lead
    assert outcome(lambda: counsel.door_for(cast.lead, track.case.ref)) == "404"
    with pytest.raises(PermissionDenied):
        write_note(track, cast.lead, "After the end.")


def test_a_reader_who_is_let_in_reads_and_does_not_write(cast: Cast, track: CounselTrack) -> None:
    let_in(track, cast, cast.reader)

    assert outcome(lambda: counsel.door_for(cast.reader, track.case.ref)) == "found"
    assert outcome(lambda: counsel.door_for(cast.reader, track.case.ref, write=True)) == "403"
    with pytest.raises(PermissionDenied):
        write_note(track, cast.reader)


def test_a_member_who_was_let_out_can_be_let_in_again(cast: Cast, track: CounselTrack) -> None:
    verbs.end_member(let_in(track, cast, cast.lead), actor=cast.counsel, reason="Done.")
    let_in(track, cast, cast.lead)

    assert [(one.user.username, one.why) for one in counsel.members(track.case, track)] == [
        ("counsel", "counsel who can see the case"),
        ("lead", "Works at our direction."),
    ]


def test_an_administrator_is_never_let_in_and_a_member_who_becomes_one_is_out(cast: Cast, track: CounselTrack) -> None:
    with pytest.raises(Refused, match="administrators never can"):
        let_in(track, cast, cast.admin)
    let_in(track, cast, cast.lead)
    User.objects.filter(pk=cast.lead.pk).update(role="administrator")
    cast.lead.refresh_from_db()

    assert outcome(lambda: counsel.door_for(cast.lead, track.case.ref)) == "404"
    assert [one.user for one in counsel.members(track.case, track)] == [cast.counsel]


def test_letting_in_is_for_counsel_alone_and_once(cast: Cast, track: CounselTrack) -> None:
    member = let_in(track, cast, cast.lead)
    with pytest.raises(PermissionDenied):
        verbs.add_member(track, actor=cast.lead, person=cast.analyst, reason="x")
    with pytest.raises(PermissionDenied):
        verbs.end_member(member, actor=cast.lead, reason="x")
    with pytest.raises(Conflict, match=r"lead is a member already \(by counsel"):
        let_in(track, cast, cast.lead)
    with pytest.raises(Conflict, match="is counsel"):
        let_in(track, cast, make_person("other-counsel", "counsel"))


def test_the_track_is_opened_by_counsel_and_once(cast: Cast, case: Case) -> None:
    for person in (cast.admin, cast.lead, cast.analyst, cast.reader):
        with pytest.raises(PermissionDenied):
            verbs.open_track(case, actor=person, purpose="x", direction="y")
    make_track(case, cast)
    with pytest.raises(Conflict, match=r"open already \(by counsel"):
        make_track(case, cast)


def test_the_database_refuses_a_second_track_a_fork_of_a_note_and_a_second_first_membership(
    cast: Cast, track: CounselTrack
) -> None:
    member, note = let_in(track, cast, cast.lead), write_note(track, cast.counsel)
    verbs.withdraw_note(note, actor=cast.counsel)
    rows: list[Any] = [
        CounselTrack(case=track.case, purpose="x", direction="y", marking="z", opened_by=cast.counsel),
        CounselNote(track=track, topic="x", text="y", marking="z", author=cast.counsel, supersedes=note),
        type(member)(track=track, user=cast.lead, reason="x", decided_by=cast.counsel),
    ]
    for row in rows:
        with pytest.raises(IntegrityError), transaction.atomic():
            verbs.log.record(actor="user:counsel", action="counsel.noted", rows=[row])


def test_a_correction_stands_in_for_the_note_which_is_kept(cast: Cast, track: CounselTrack) -> None:
    first = write_note(track, cast.counsel, "Draft.")
    second = verbs.add_note(track, actor=cast.counsel, topic="Assent", text="Better.", supersedes=first)

    assert list(counsel.notes(track)) == [second]
    assert counsel.earlier(track, [second]) == {second.pk: [first]}
    with pytest.raises(Conflict, match="was corrected"):
        verbs.withdraw_note(first, actor=cast.counsel)


def test_a_note_taken_back_is_gone_from_the_list_and_kept(cast: Cast, track: CounselTrack) -> None:
    note = write_note(track, cast.counsel)
    verbs.withdraw_note(note, actor=cast.counsel)

    assert (list(counsel.notes(track)), CounselNote.objects.count()) == ([], 2)
    with pytest.raises(Conflict, match="was taken back"):
        verbs.withdraw_note(note, actor=cast.counsel)
    write_note(track, cast.counsel)


def test_the_same_note_again_does_nothing(cast: Cast, track: CounselTrack) -> None:
    write_note(track, cast.counsel)
    with pytest.raises(Conflict, match=r"in the track already \(by counsel"):
        write_note(track, cast.counsel)

    assert CounselNote.objects.count() == 1


def test_a_note_names_exhibits_of_its_own_case_only(cast: Cast, track: CounselTrack) -> None:
    add_exhibit(track.case, cast.analyst)
    note = verbs.add_note(track, actor=cast.counsel, topic="a", text="b", exhibits=[1, 1])
    with pytest.raises(Refused, match="no exhibit 2, 7"):
        verbs.add_note(track, actor=cast.counsel, topic="a", text="c", exhibits=[7, 1, 2])

    assert note.exhibits == [1]


@pytest.mark.parametrize(
    ("field", "value"),
    [("topic", " "), ("text", ""), ("text", "a\x00b"), ("topic", "x" * 201), ("direction", "y" * 301)],
)
def test_a_note_that_lacks_something_is_refused(cast: Cast, track: CounselTrack, field: str, value: str) -> None:
    with pytest.raises(Refused) as refused:
        verbs.add_note(track, actor=cast.counsel, **{"topic": "a", "text": "b", field: value})

    assert refused.value.field == field


def test_counsel_writes_on_after_the_case_is_closed(cast: Cast) -> None:
    track = make_track(make_case(cast, stage="closed"), cast)

    note = write_note(track, cast.counsel)

    assert list(counsel.notes(track)) == [note]


def test_a_note_or_member_of_another_track_is_not_found(cast: Cast, track: CounselTrack) -> None:
    other = make_track(make_case(cast, accounts=provider_ids(2, prefix="other")), cast)
    note, member = write_note(other, cast.counsel), let_in(other, cast, cast.lead)
    for attempt in (
        lambda: counsel.note_of(track, note.pk),
        lambda: counsel.note_of(track, new_id()),
        lambda: counsel.member_of(track, member.pk),
    ):
        assert outcome(attempt) == "404"
    assert outcome(lambda: counsel.door_for(cast.lead, track.case.ref)) == "404"
    with pytest.raises(Refused, match="no such note"):
        verbs.add_note(track, actor=cast.counsel, topic="a", text="b", supersedes=note)


def test_every_act_is_in_the_tracks_own_log_without_words(cast: Cast, track: CounselTrack) -> None:
    note = write_note(track, cast.counsel, "CANARY of the note")
    verbs.withdraw_note(note, actor=cast.counsel)
    verbs.end_member(let_in(track, cast, cast.lead), actor=cast.counsel, reason="CANARY of the reason")
    verbs.export(track, actor=cast.counsel, recipient="CANARY outside counsel", purpose="CANARY why")
    verbs.record_read(track, actor=cast.counsel, page="notes")
    acts = counsel.entries(track).order_by("at", "id")

    assert [one.action.partition(".")[2] for one in acts] == [
        *("opened", "noted", "withdrawn", "member_added", "member_ended", "exported", "read"),
    ]
    assert {one.scope for one in acts} == {track.pk}
    assert "CANARY" not in json.dumps([one.data for one in acts])
    assert not LogEntry.objects.filter(scope=track.case_id, action__startswith="counsel.").exists()


def test_the_export_holds_the_whole_track_and_its_digest_is_in_the_distribution_log(
    cast: Cast, track: CounselTrack
) -> None:
    add_exhibit(track.case, cast.analyst)
    first = write_note(track, cast.counsel, "First.\u202e")
    verbs.add_note(track, actor=cast.counsel, topic="Assent", text="Second.", exhibits=[1], supersedes=first)
    verbs.export(track, actor=cast.counsel, recipient="Outside counsel", purpose="Advice")
    row, content = verbs.export(track, actor=cast.counsel, recipient="The court", purpose="In camera")

    assert (row.number, row.notes, row.sha256) == (2, 1, hashlib.sha256(content).hexdigest())
    folder = f"{track.case.ref}-counsel-track-2"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name.removeprefix(f"{folder}/"): archive.read(name) for name in archive.namelist()}
    document = json.loads(files["counsel-track.json"])
    assert files["manifest-sha256.txt"].decode() == "".join(
        f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in ("counsel-track.json", "counsel-track.txt")
    )
    assert [one["text"] for one in document["notes"]] == ["First.\u202e", "Second."]
    assert [(one["recipient"], one["sha256"] is None) for one in document["exports"]] == [
        ("Outside counsel", False),
        ("The court", True),
    ]
    text = files["counsel-track.txt"].decode()
    assert text.startswith(track.marking)
    assert "First.⟨U+202E⟩" in text
    assert CounselExport.objects.count() == 2


def test_who_breaks_the_glass_of_a_case_does_not_enter_its_track(cast: Cast, track: CounselTrack) -> None:
    case = track.case
    CaseMember.objects.create(case=case, person=cast.lead)
    Case.objects.filter(pk=case.pk).update(restricted=True)
    assert outcome(lambda: counsel.door_for(cast.counsel, case.ref)) == "404"
    until = timezone.now() + timedelta(hours=1)
    glass = CaseMember.objects.create(case=case, person=cast.counsel, via="break_glass", until=until)
    assert outcome(lambda: counsel.door_for(cast.counsel, case.ref)) == "404"
    CaseMember.objects.filter(pk=glass.pk).update(via="invited", until=None)

    assert outcome(lambda: counsel.door_for(cast.counsel, case.ref)) == "found"


ROWS = ("cases_counseltrack", "cases_counselnote", "cases_counselmember", "cases_counselexport")


def counted(principal: str, track: CounselTrack) -> list[int]:
    """Rows and log entries of the track that the database itself gives this principal."""
    found = []
    with acting_as(principal), connection.cursor() as cursor:
        for table in ROWS:
            cursor.execute(f"SELECT count(*) FROM {table}")
            found.append(int(cursor.fetchone()[0]))
        return [*found, LogEntry.objects.filter(scope=track.pk).count()]


def test_the_database_gives_rows_and_entries_of_the_track_to_its_members_alone(cast: Cast, track: CounselTrack) -> None:
    let_in(track, cast, cast.lead)
    write_note(track, cast.lead)
    verbs.export(track, actor=cast.counsel, recipient="Court", purpose="In camera")
    inside = [1, 1, 1, 1, 4]

    assert {name: counted(f"user:{name}", track) for name in ("lead", "counsel", "analyst", "reader", "admin")} == {
        "lead": inside,
        "counsel": inside,
        "analyst": [0] * 5,
        "reader": [0] * 5,
        "admin": [0] * 5,
    }
    assert counted("", track) == [0] * 5


def test_the_database_takes_no_row_of_the_track_from_who_is_no_member(cast: Cast, track: CounselTrack) -> None:
    note = CounselNote(track=track, topic="x", text="y", marking="z", author=cast.analyst)
    with acting_as("user:analyst"), pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
        verbs.log.record(actor="user:analyst", action="counsel.noted", rows=[note])


def test_a_membership_that_ended_gives_nothing_and_the_glass_gives_nothing(cast: Cast, track: CounselTrack) -> None:
    verbs.end_member(let_in(track, cast, cast.lead), actor=cast.counsel, reason="Done")
    assert counted("user:lead", track) == [0] * 5
    Case.objects.filter(pk=track.case_id).update(restricted=True)
    until = timezone.now() + timedelta(hours=1)
    CaseMember.objects.create(case=track.case, person=cast.counsel, via="break_glass", until=until)

    assert counted("user:counsel", track) == [0] * 5
