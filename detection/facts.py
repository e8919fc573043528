"""Gathers what is known of each account in a window: registration facts, volume, and the shape of its use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis

from detection.records import AccountFacts, Window
from detection.telemetry.dataset import Dataset

SITTING_SECONDS = 600
FROM_TABLE = ("org_id", "payment_fingerprint", "email_domain", "country", "plan", "programme", "created_at")


def account_facts(dataset: Dataset, window: Window) -> dict[str, AccountFacts]:
    """Give the facts of every account active in the window, by account id; columns that are absent leave defaults."""
    rows = dataset.within(window)
    new_models = [model for model, at in dataset.releases().items() if window.start < at < window.end]
    kinds = dataset.networks.select("asn", "kind")
    used = rows.left_join(kinds, "asn").select(
        "account_id", "ts", "org_id", "payment_fingerprint", "asn", "kind", "user_agent", "end_user_id", "model",
        "input_tokens", "output_tokens", "sketch_text",
    )  # fmt: skip
    measured = used.group_by("account_id").aggregate(
        exchanges=used.count(),
        input_tokens=used.input_tokens.sum().fill_null(0),
        output_tokens=used.output_tokens.sum().fill_null(0),
        first_seen=used.ts.min(),
        last_seen=used.ts.max(),
        seen_org=used.org_id.max(),
        seen_payment=used.payment_fingerprint.max(),
        networks=used.asn.nunique(),
        clients=used.user_agent.collect(distinct=True),
        prompts=used.sketch_text.count(),
        fillings=used.sketch_text.nunique(),
        end_users=used.end_user_id.nunique(),
        on_new=used.model.isin(new_models).sum().fill_null(0) if new_models else ibis.literal(0),
    )
    registered = {row["account_id"]: row for row in dataset.arrow(dataset.accounts).to_pylist()}
    homes = _homes(dataset, used)
    sittings = _sittings(dataset, used)
    return {
        row["account_id"]: _facts(
            row, registered.get(row["account_id"], {}), homes.get(row["account_id"], {}), sittings
        )
        for row in dataset.arrow(measured.order_by("account_id")).to_pylist()
    }


def _homes(dataset: Dataset, used: Any) -> dict[str, Mapping[str, Any]]:
    """Give the network each account used most, the smaller AS number when two tie."""
    some = used.filter(used.asn.notnull())
    counted = some.group_by(["account_id", "asn", "kind"]).aggregate(n=some.count())
    rows = dataset.arrow(counted.order_by([counted.account_id, counted.n.desc(), counted.asn])).to_pylist()
    homes: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        homes.setdefault(row["account_id"], row)
    return homes


def _sittings(dataset: Dataset, used: Any) -> dict[str, tuple[int, int]]:
    """Give in how many stretches of ten minutes and in how many hours each account was used; nothing is sorted."""
    stretch = used.ts.epoch_seconds() // SITTING_SECONDS
    stretches = used.mutate(stretch=stretch).select("account_id", "stretch").distinct()
    hours = (stretches.stretch // (3600 // SITTING_SECONDS)).nunique()
    counted = stretches.group_by("account_id").aggregate(n=stretches.count(), hours=hours)
    rows = dataset.arrow(counted).to_pylist()
    return {row["account_id"]: (row["n"], row["hours"]) for row in rows}


def _crowding(exchanges: int, sittings: tuple[int, int]) -> float:
    """Give how much fewer stretches than an even use of the same hours would fill, as a share of the exchanges."""
    stretches, hours = sittings
    places = hours * 3600 / SITTING_SECONDS
    return (places * (1 - (1 - 1 / places) ** exchanges) - stretches) / exchanges


def _facts(
    row: Mapping[str, Any],
    registered: Mapping[str, Any],
    home: Mapping[str, Any],
    sittings: Mapping[str, tuple[int, int]],
) -> AccountFacts:
    known = {name: registered.get(name) for name in FROM_TABLE}
    known["org_id"] = known["org_id"] or row["seen_org"]
    known["payment_fingerprint"] = known["payment_fingerprint"] or row["seen_payment"]
    exchanges = row["exchanges"]
    return AccountFacts(
        account_id=row["account_id"],
        exchanges=exchanges,
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        first_seen=row["first_seen"],
        last_seen=row["last_seen"],
        networks=row["networks"],
        clients=tuple(sorted(row["clients"] or ())),
        home_asn=home.get("asn"),
        home_kind=home.get("kind"),
        prompts=row["prompts"],
        fillings=row["fillings"],
        end_users=row["end_users"],
        new_model_share=row["on_new"] / exchanges,
        crowding=_crowding(exchanges, sittings[row["account_id"]]),
        **known,
    )
