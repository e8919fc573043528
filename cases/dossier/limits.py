"""What a dossier does not show: the limits of its method, and the gaps that were known at the cut. Never left out."""

from collections.abc import Iterable

from cases.dossier.reading import Row

GENERAL = [
    "A finding is a detector's statement about accounts in a window. It does not show who used an account, or why.",
    "That accounts are run together does not show by whom. Resellers, shared tools and shared networks can look alike.",
    "A score orders findings of one detector. It is a probability only where a measured rate stands beside it.",
    "No error rates are published for signals of account networks. Where none was measured here, that is said.",
    "Counts are of what the telemetry recorded. What it missed or has lost is not counted.",
    "That nothing was found clears nobody, and that something was found accuses nobody.",
    "Prompts and responses are not in this package, apart from what an exhibit carries and a template's masked words.",
]
NAMES = "The provider's own identifiers are not in this package. "
INTERNAL_NAMES = f"{NAMES}In an internal copy accounts have the names the pages show."
RECIPIENT_NAMES = f"{NAMES}Accounts have names made for this recipient, which match those in nobody else's copy."

SETS_HOLD = "No exchange set was found to differ from its source when it was asked again, and none was left unasked."
UNREGISTERED = "The recipient or the legal basis is not a registered one: this copy cannot be disclosed."


def limits(snapshot: Row) -> Row:
    """The limits section, from the parts of the snapshot that are already there."""
    return {
        "general": [*GENERAL, *_for_whom(snapshot["recipient"])],
        "known": [
            _part("What detectors could not tell", "Every detector could answer.", _untold(snapshot)),
            _part("Claims that are open", "All six claims were judged.", _open_claims(snapshot)),
            _part("Innocent explanations that stand", "Every one was ruled out.", _standing(snapshot)),
            _part("Accounts nobody has decided about", "Every account has a verdict.", _undecided(snapshot)),
            _part("Error rates that are not known", "Every finding states a measured rate.", _unmeasured(snapshot)),
            _part("Findings that were corrected", "No finding was superseded before the cut.", _corrected(snapshot)),
            _part("Findings that are set aside", "No finding was in quarantine at the cut.", _set_aside(snapshot)),
            _part("Detector versions that were recalled", "No finding's version was recalled.", _recalled(snapshot)),
            _part("Values set aside as too common", "No value was set aside.", _hubs(snapshot)),
            _part("Telemetry that was not read", "Every line was read.", _unread(snapshot)),
            _part("Telemetry that has no such column", "Every column was there.", _absent(snapshot)),
            _part("Exchange sets against their source", SETS_HOLD, _differing(snapshot)),
            _part("Sampled exchanges without a proof", "Every sampled exchange has its proof.", _unproven(snapshot)),
        ],
    }


def _for_whom(recipient: Row) -> list[str]:
    if recipient["internal"]:
        return [INTERNAL_NAMES]
    known = recipient["recipient_registered"] and recipient["basis_registered"]
    return [RECIPIENT_NAMES] if known else [RECIPIENT_NAMES, UNREGISTERED]


def _part(title: str, nothing: str, rows: Iterable[Row]) -> Row:
    return {"title": title, "nothing": nothing, "rows": list(rows)}


def _untold(snapshot: Row) -> Iterable[Row]:
    for row in snapshot["answers"]["rows"]:
        if row["status"] == "could not tell":
            yield {"text": f"{row['detector']} {row['version']}: {row['reason']}", "item": row["item"]}


def _open_claims(snapshot: Row) -> Iterable[Row]:
    for row in snapshot["claims"]:
        if row["judgement"] is None:
            yield {"text": row["text"]}


def _standing(snapshot: Row) -> Iterable[Row]:
    for row in snapshot["alternatives"]:
        if row["state"] != "ruled out":
            yield {"text": f"{row['text']}: {row['state'] or 'not answered'}", "item": row.get("item", "")}


def _undecided(snapshot: Row) -> Iterable[Row]:
    for row in snapshot["verdicts"]["rows"]:
        if row["verdict"] in {"", "unknown"} and row["accounts"]:
            text = f"{_accounts(row['accounts'])}: {row['meaning']}"
            yield {"text": text, "source": snapshot["verdicts"]["source"]}


def _unmeasured(snapshot: Row) -> Iterable[Row]:
    rows = snapshot["findings"]["rows"]
    without = sum(row["false_positive_rate"] is None for row in rows)
    if without:
        text = f"{without:,} of {len(rows):,} findings state no measured false-positive rate."
        yield {"text": text, "source": snapshot["findings"]["source"]}


def _set_aside(snapshot: Row) -> Iterable[Row]:
    for row in snapshot["findings"]["rows"]:
        if row["set_aside"]:
            text = f"F{row['number']} of {row['detector']} is set aside: its sender's key was not to be relied on then."
            yield {"text": text, "item": row["item"]}


def _recalled(snapshot: Row) -> Iterable[Row]:
    for row in snapshot["findings"]["rows"]:
        if row["recalled"]:
            version = f"{row['detector']} {row['detector_version']}"
            yield {"text": f"F{row['number']}: {version} is declared not to be relied on.", "item": row["item"]}


def _corrected(snapshot: Row) -> Iterable[Row]:
    for row in snapshot["findings"]["rows"]:
        if row["superseded_by"] is not None:
            newer = f"version {row['superseded_by']} came before the cut"
            text = f"F{row['number']} is version {row['version']} of {row['uid']}; {newer}."
            yield {"text": text, "item": row["item"]}


def _hubs(snapshot: Row) -> Iterable[Row]:
    """By kind of value, with the largest as an example; `runs` has every one."""
    for run in snapshot["runs"]["rows"]:
        kinds: dict[str, list[Row]] = {}
        for hub in run["hubs"]:
            kinds.setdefault(hub["type"], []).append(hub)
        for kind, hubs in kinds.items():
            largest = max(hubs, key=lambda hub: int(hub["accounts"]))
            counted = f"{len(hubs):,} values, the largest " if len(hubs) > 1 else ""
            text = f"{kind.replace('_', ' ')}: {counted}{largest['value']}, {_accounts(largest['accounts'])}"
            yield {"text": f"{text} ({largest['reason']})", "item": run["item"]}


def _accounts(count: int) -> str:
    return f"{count:,} accounts" if count != 1 else "1 account"


def _unread(snapshot: Row) -> Iterable[Row]:
    for file in snapshot["telemetry"]["rows"]:
        if file["bad_lines"] or file["truncated"]:
            cut_short = f"; {file['truncated']}" if file["truncated"] else ""
            text = f"{file['name']}: {file['bad_lines']:,} bad lines beside {file['rows']:,} that were kept{cut_short}"
            yield {"text": text, "item": file["item"]}


def _absent(snapshot: Row) -> Iterable[Row]:
    for file in snapshot["telemetry"]["rows"]:
        if file["columns_absent"]:
            yield {"text": f"{file['name']}: {', '.join(file['columns_absent'])}", "item": file["item"]}


def _differing(snapshot: Row) -> Iterable[Row]:
    """By the newest re-run of each set; a set that was never asked again is told too."""
    newest = {row["exhibit"]: row for row in snapshot["exchange_set_reruns"]["rows"]}
    for held in snapshot["exchange_sets"]["rows"]:
        again = newest.get(held["exhibit"])
        if again is None:
            yield {"text": f"Exhibit {held['exhibit']}: never asked again since it was made.", "item": held["item"]}
        elif not again["same"]:
            gone = f"{again['missing']:,} missing, {again['expired']:,} of them older than the source keeps"
            text = f"{gone}; {again['added']:,} added; {again['changed']:,} changed"
            yield {"text": f"Exhibit {held['exhibit']}, asked {again['at'][:10]}: {text}.", "item": again["item"]}


def _unproven(snapshot: Row) -> Iterable[Row]:
    for held in snapshot["exchange_sets"]["rows"]:
        drawn = [row for row in snapshot["sampled_exchanges"]["rows"] if row["exhibit"] == held["exhibit"]]
        without = sum(row["path"] is None for row in drawn)
        if without:
            counted = f"Exhibit {held['exhibit']}: {without:,} of {len(drawn):,}"
            yield {"text": f"{counted}; the set's leaf hashes are gone or damaged.", "item": held["item"]}
