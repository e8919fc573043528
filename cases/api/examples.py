"""An example of each write of judging that says none beside itself, by operation; tests send every one.

What names something (an id, a reference, a person, a count that was shown) is made up here, and the test puts that of
its stage in its place.
"""

from typing import Any

SOME_ID = "01990000-0000-7000-8000-000000000001"
REF = "RT-2026-K7Q4M"
REASON = "The accounts share one payment fingerprint."
EXAMPLES: dict[str, tuple[str, Any]] = {
    # leads
    "POST leads/<lead_id>/open/": (
        "a case of it",
        {"title": "Accounts that pay alike", "summary": "They are suspected of collecting outputs together."},
    ),
    "POST leads/<lead_id>/join/": ("into a case that is there", {"case": REF}),
    "POST leads/<lead_id>/reject/": (
        "a customer's evaluation",
        {"reason": "evaluation", "note": "The customer has announced it."},
    ),
    "POST leads/<lead_id>/snooze/": (
        "until it doubles, or that day",
        {"until": "2027-01-15T00:00:00Z", "factor": 2, "note": "Small as it is."},
    ),
    "POST leads/<lead_id>/reopen/": ("look again", {"note": "Three more accounts came."}),
    "POST leads/<lead_id>/assign/": ("give it to somebody", {"to": "lead", "expected": None}),
    # the case itself
    "PATCH cases/<ref>/": (
        "another title over the one that was shown",
        {"title": "Accounts that pay and ask alike", "expected": {"title": "Accounts that pay alike"}},
    ),
    "POST cases/<ref>/assign/": ("give it to somebody", {"to": "lead", "expected": "analyst"}),
    "POST cases/<ref>/move/": (
        "begin",
        {"to": "investigating", "expected_from": "open", "note": "The evidence is being secured."},
    ),
    "POST cases/<ref>/access/restrict/": (
        "two may read it",
        {"reason": "A customer is involved.", "people": ["analyst", "counsel"]},
    ),
    "POST cases/<ref>/access/members/": ("let somebody in", {"reason": "Reviews the figures.", "person": "reader"}),
    "POST cases/<ref>/access/members/remove/": ("the end of it", {"reason": "The review is done.", "person": "reader"}),
    "POST cases/<ref>/access/open-up/": ("everybody may read it again", {"reason": "The customer is out of it."}),
    "POST break-glass/": ("read it for once", {"ref": REF, "reason": "The court asks today; no member answers."}),
    # judging
    "POST cases/<ref>/verdicts/": (
        "one account",
        {"account": SOME_ID, "value": "actor_controlled", "reason": REASON, "expected": None},
    ),
    "POST cases/<ref>/verdicts/bulk/": (
        "all that nobody has decided about",
        {"filter": {"verdict": "none"}, "value": "actor_controlled", "reason": REASON, "expected_count": 24},
    ),
    "POST cases/<ref>/verdicts/bulk/<job_id>/undo/": ("take it back", {"reason": "Six of them are a reseller's."}),
    "POST cases/<ref>/claims/": (
        "the activity happened",
        {
            "claim": "a",
            "likelihood": "very_likely",
            "confidence": "moderate",
            "rationale": "The request logs show it, and their hashes hold.",
            "alternatives": "A test of our own would look alike; none is known.",
            "supersedes": None,
        },
    ),
    "POST cases/<ref>/alternatives/": (
        "no course",
        {"alternative": "academic", "state": "ruled_out", "reason": "The prompts fit no course.", "supersedes": None},
    ),
    "POST cases/<ref>/timeline/": (
        "what we did",
        {
            "lane": "decisions",
            "starts_at": "2026-05-03T14:30:00Z",
            "text": "Rate limits were lowered for the listed accounts.",
            "source": "Change record 4711",
            "confidence": "high",
        },
    ),
    "POST cases/<ref>/timeline/<note_id>/withdraw/": ("a mistake", {"reason": "It was another day."}),
    "POST cases/<ref>/exchange-sets/<exhibit>/plans/<plan>/sample/<ordinal>/results/": (
        "after looking at one exchange",
        {"value": "actor_controlled", "note": "It asks for the inner reasoning and nothing else."},
    ),
    "POST cases/<ref>/exchange-sets/<exhibit>/proof/": (
        "of one exchange, and whose it was",
        {"request_id": "req-000017", "columns": ["account_id"], "purpose": "Annex 2 of the report"},
    ),
    # evidence
    "POST cases/<ref>/evidence/": (
        "a file",
        {
            "file": "requests-2026-05.csv",
            "title": "Request log extract",
            "source": "Gateway export",
            "acquired_at": "2026-06-02T08:00:00Z",
        },
    ),
    "POST cases/<ref>/evidence/<number>/derivatives/": (
        "an extract of it",
        {
            "file": "extract.csv",
            "derivation": "extract",
            "title": "The listed accounts alone",
            "tool": "csvgrep 2.1",
            "method": "Rows of the accounts listed in schedule A.",
            "reason": "The rest is not about them.",
        },
    ),
    "PATCH cases/<ref>/uploads/<upload_id>/": ("the next bytes", "part-0001"),
    "POST cases/<ref>/redactions/<proposal_id>/decide/": (
        "not so",
        {"approve": False, "note": "The second mark covers too much."},
    ),
    # what is kept
    "POST cases/<ref>/preservation/explanations/": (
        "why nothing is asked",
        {"source": "api-logs", "reason": "The source keeps nothing of that time."},
    ),
    "POST cases/<ref>/preservation/<request_id>/answers/": (
        "they keep it",
        {
            "kind": "receipt",
            "number": "P-7",
            "answered_by": "Gateway team",
            "answered_at": "2026-06-01T10:00:00Z",
            "what": "All request logs of the listed accounts.",
        },
    ),
    "POST holds/<hold_id>/custodians/": ("a team", {"name": "Billing team", "contact": "billing@example.com"}),
    "POST holds/<hold_id>/ask-release/": ("it is over", {"reason": "The dispute is settled."}),
    "POST holds/<hold_id>/release/": ("by a second person", {"ask": SOME_ID, "note": "The settlement is exhibit 9."}),
    "POST custodians/<custodian_id>/acknowledge/": (
        "their letter is an exhibit",
        {"exhibit": 1, "note": "They answered by letter."},
    ),
    "POST custodians/<custodian_id>/remind/": ("a week later", {"note": "No answer within a week."}),
    "POST retention/policies/<policy_id>/order/": ("what the preview counted", {"expected": 3}),
    "POST erasure/preview/": ("a timeline entry", {"kind": "timeline", "key": SOME_ID}),
    "POST erasure/": (
        "what the preview counted",
        {"kind": "timeline", "key": SOME_ID, "basis": "Request of the person concerned", "expected": 4},
    ),
    "POST destruction/orders/<order_id>/decide/": (
        "not now",
        {"granted": False, "note": "A hold is being prepared."},
    ),
    # dossiers
    "POST cases/<ref>/dossiers/": ("an internal copy", {"edition": "counsel"}),
    "POST dossiers/<version_id>/approve/": (
        "what was looked at",
        {"snapshot_sha256": "ab" * 32, "note": "Checked against the claims."},
    ),
    "POST dossiers/<version_id>/disclosures/": (
        "by hand",
        {"channel": "by hand", "purpose": "The committee's request of 2 June"},
    ),
    "POST disclosures/<ask_id>/release/": ("by a second person", {"note": "The basis was looked at."}),
    "POST disclosures/<ask_id>/notes/": (
        "their receipt",
        {
            "kind": "receipt",
            "number": "C-1",
            "happened_at": "2026-06-05T09:00:00Z",
            "text": "Signed for at their registry.",
        },
    ),
    # the counsel track
    "POST cases/<ref>/counsel/": (
        "open it",
        {"purpose": "To advise on the letter", "direction": "Asked for by the head of legal"},
    ),
    "POST cases/<ref>/counsel/notes/": (
        "a note",
        {"topic": "The letter", "text": "It names no claim yet.", "exhibits": [1]},
    ),
    "POST cases/<ref>/counsel/members/": ("let somebody in", {"person": "lead", "reason": "Prepares the answer."}),
    "POST cases/<ref>/counsel/members/<member_id>/end/": ("the end of it", {"reason": "The answer is sent."}),
    "POST cases/<ref>/counsel/export/": (
        "to outside counsel",
        {"recipient": "Outside counsel", "purpose": "Their opinion"},
    ),
    # deconfliction
    "POST brokers/": ("somebody without cases", {"person": "counsel", "reason": "Works on none of the cases."}),
    "POST brokers/<term_id>/end/": ("the end of it", {"reason": "Another broker is there."}),
    "POST cases/<ref>/deconfliction/": (
        "about every account",
        {"about": "all", "reason": "Before the accounts are closed."},
    ),
    "POST deconfliction/<question_id>/matches/<match_id>/ask/": (
        "whether they may meet",
        {"words": "Another case has accounts of yours. May its lead write to you?"},
    ),
    "POST cases/<ref>/deconfliction/told/<approach_id>/reply/": (
        "yes",
        {"agrees": True, "words": "Write to the case lead."},
    ),
    "POST deconfliction/<question_id>/answer/": (
        "there is one",
        {"value": "hit", "why": "Both agreed.", "introduce": [SOME_ID]},
    ),
    # sanctioned testers
    "POST sanctioned-testers/lookup/": ("one id", {"accounts": ["acct_81c2"]}),
    "POST sanctioned-testers/<test_id>/end/": ("the end of it", {"reason": "The test is over."}),
}
