"""The mixture's side tables, and the labels for scoring alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np

from detection.records import rfc3339
from detection.simulation.cast import COUNTRIES
from detection.simulation.choices import Ints
from detection.simulation.ensemble import Ensemble
from detection.simulation.population import CARRIERS, NETWORK_KINDS, NEVER, PLANS
from detection.simulation.scale import MODELS, NEW_MODELS, START

Rows = Iterator[dict[str, Any]]


def account_rows(cast: Ensemble) -> Rows:
    """Give the accounts table, sorted by id."""
    c = {name: values.tolist() for name, values in cast.columns.items()}
    ids, orgs, payments = cast.ids.to_pylist(), cast.orgs.to_pylist(), cast.payments.to_pylist()
    every = cast.scale.columns == "all"
    for place in sorted(range(len(cast)), key=ids.__getitem__):
        created = rfc3339(START + timedelta(microseconds=c["created"][place]))
        row = {
            "account_id": ids[place],
            "org_id": orgs[place],
            "created_at": created,
            "email_domain": cast.domains[c["domain"][place]],
            "country": COUNTRIES[c["country"][place]],
            "payment_fingerprint": payments[place],
            "kyc_level": "email" if payments[place] is None else "card",
            "plan": PLANS[c["plan"][place]],
        }
        if every:
            row |= {
                "programme": cast.programmes[c["programme"][place]] if c["programme"][place] >= 0 else None,
                "phone_carrier": CARRIERS[c["carrier"][place]],
                "banned_at": _moment(c["banned"][place]),
                "terms_version": "2026-01",
                "terms_accepted_at": created,
            }
        yield row


def _moment(microseconds: int) -> str | None:
    return None if microseconds == NEVER else rfc3339(START + timedelta(microseconds=microseconds))


def network_rows(cast: Ensemble) -> Rows:
    networks = cast.networks
    for asn, kind, country in zip(networks.asn.tolist(), networks.kind, networks.country, strict=True):
        yield {"asn": asn, "kind": NETWORK_KINDS[kind], "country": COUNTRIES[country]}


def model_rows(cast: Ensemble) -> Rows:
    for names, day in ((MODELS, -200), (NEW_MODELS, cast.scale.release_day)):
        for name in names:
            yield {"model": name, "released_at": rfc3339(START + timedelta(days=day))}


def truth(cast: Ensemble, sent: Ints) -> dict[str, Any]:
    """Give the labels in the scorer's form: who is in which campaign or group, and who never sent anything."""
    ids = np.array(cast.ids.to_pylist())
    members = _members(cast)
    kinds = cast.columns["kind"].tolist()
    campaigns, benign = [], []
    for number, group in enumerate(cast.groups):
        places = members[number]
        accounts = sorted(ids[places].tolist())
        if group.campaign:
            named = {"campaign_id": group.name, "kind": group.kind, "accounts": accounts}
            idle = sorted(ids[places[sent[places] == 0]].tolist())
            more = {"idle_accounts": idle, "requests": int(sent[places].sum()), "linkage": group.linkage}
            campaigns.append(named | more)
        else:
            benign.append({"group_id": group.name, "kind": group.kind, "accounts": accounts})
    return {
        "seed": cast.scale.seed,
        "release": rfc3339(START + timedelta(days=cast.scale.release_day)),
        "campaigns": campaigns,
        "benign_groups": benign,
        "account_kinds": dict(sorted((one, cast.kinds[kind]) for one, kind in zip(ids.tolist(), kinds, strict=True))),
    }


def _members(cast: Ensemble) -> list[Ints]:
    """Give the places of each group's accounts."""
    group = cast.columns["group"]
    order = np.argsort(group, kind="stable")
    bounds = np.searchsorted(group[order], np.arange(len(cast.groups) + 1))
    return [order[start:end] for start, end in pairwise(bounds)]
