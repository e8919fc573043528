"""Finds identity and network values that more than one account shows, weighted by how rare they are."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import ibis
import pyarrow as pa

from detection.detectors.base import (
    Detector,
    as_rows,
    confidence_word,
    overlap,
    plural,
    rarity,
    volumes,
    with_attributes,
)
from detection.records import AccountSeen, AttributeSeen, FindingDraft, Hub, Number, Outcome, Window
from detection.telemetry.dataset import Dataset

# column -> attribute type; the weight says how much a shared value of the type tells by itself
FROM_EXCHANGES: Mapping[str, str] = {
    "payment_fingerprint": "payment_fingerprint",
    "org_id": "org",
    "api_key_id": "api_key",
    "ip": "ip",
    "asn": "asn",
    "ja4": "ja4",
    "user_agent": "user_agent",
}
FROM_ACCOUNTS: Mapping[str, str] = {
    "payment_fingerprint": "payment_fingerprint",
    "org_id": "org",
    "email_domain": "email_domain",
    "programme": "programme",
    "phone_carrier": "phone_carrier",
}
WEIGHT: Mapping[str, float] = {
    "payment_fingerprint": 1.0,
    "org": 1.0,
    "api_key": 1.0,
    "ip": 1.0,
    "subnet": 0.7,
    "email_domain": 0.8,
    "programme": 0.6,
    "phone_carrier": 0.4,
    "ja4": 0.5,
    "user_agent": 0.4,
    "asn": 0.4,
}
WORDS: Mapping[str, str] = {
    "payment_fingerprint": "payment fingerprint",
    "org": "organisation",
    "api_key": "API key",
    "ip": "address",
    "subnet": "subnet",
    "email_domain": "e-mail domain",
    "programme": "programme",
    "phone_carrier": "phone carrier",
    "ja4": "TLS fingerprint",
    "user_agent": "client",
    "asn": "network",
    "template": "prompt template",
    "reasoning_block": "reasoning block",
    "x-behaviour": "behaviour",
    "country": "country",
    "email_pattern": "e-mail pattern",
    "x-series": "numbered list",
    "x-synchronised": "set of moments",
}
NETWORK = frozenset({"ip", "subnet", "asn", "user_agent", "ja4", "phone_carrier"})
AT_KIND: Mapping[str, float] = {
    "isp": 0.2,
    "mobile": 0.1,
    "vpn": 0.2,
    "hosting": 0.25,
    "education": 0.8,
    "business": 0.8,
}
NEVER_A_HUB = frozenset({"payment_fingerprint", "org", "api_key"})
SHARED_BY_NATURE = frozenset({"isp", "mobile"})
PUBLIC_MAIL = frozenset(
    {
        *("gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "yahoo.com", "icloud.com"),
        *("proton.me", "protonmail.com", "gmx.de", "gmx.net", "web.de", "mail.ru", "yandex.ru", "qq.com"),
        *("163.com", "126.com", "naver.com", "aol.com", "zoho.com", "fastmail.com"),
    }
)
Seen = Mapping[tuple[str, str], Mapping[str, AttributeSeen]]


class SharedAttribute(Detector):
    """Accounts tied by a value they share: bipartite, rarity-weighted, hubs set aside and said so."""

    name = "shared-attribute"
    signal = "shared_attribute"
    version = "1.0.0"
    title = "Accounts that share an identity or network value"
    idea = (
        "A payment fingerprint, address or domain that only a few accounts show ties them; a common one says nothing."
    )
    requires_any = tuple(dict.fromkeys([*FROM_EXCHANGES, *FROM_ACCOUNTS]))
    parameters: ClassVar[Mapping[str, Number]] = {
        "fewest_accounts": 2,
        "fewest_accounts_on_a_network": 3,
        "hub_share": 0.02,
        "hub_floor": 20,
        "lowest_score": 0.2,
        **{f"weight_{kind}": weight for kind, weight in WEIGHT.items()},
        **{f"weight_on_{kind}": weight for kind, weight in AT_KIND.items()},
    }
    minimum_support = 2
    innocent_explanations = (
        "several people behind one address: a household, a school, a company, a carrier's NAT",
        "a commercial VPN or a cloud region used by unrelated customers",
        "one organisation or one reseller that pays for many accounts openly",
        "a popular client library",
    )
    source = "House linking practice for Sybil accounts; rarity weight as inverse document frequency"
    techniques = ("AML.T0024.002",)

    def detect(self, dataset: Dataset, window: Window, background: Dataset | None = None) -> Outcome:
        if reason := self.missing(dataset):
            return self.could_not_tell(reason)
        accounts = volumes(dataset, window)
        counts = {"exchanges_read": sum(a.exchanges for a in accounts.values()), "accounts": len(accounts)}
        if len(accounts) < self.minimum_support:
            return self.could_not_tell("Fewer than two accounts were active in the window.", counts)
        seen = self._seen(dataset, window, accounts)
        shared = {key: holders for key, holders in seen.items() if len(holders) >= self._fewest(key[0])}
        hubs = self._hubs(dataset, shared, len(accounts))
        kept = _without_echoes({key: holders for key, holders in shared.items() if key not in hubs})
        at = self._address_kinds(dataset, window, kept)
        findings = [draft for key in sorted(kept) for draft in self._finding(window, key, kept[key], accounts, at)]
        counts |= {"values": len(seen), "candidates": len(shared)}
        return self.outcome(findings, counts, hubs.values(), "No rare value is shared by two accounts.")

    def _seen(self, dataset: Dataset, window: Window, accounts: Mapping[str, AccountSeen]) -> Seen:
        seen: dict[tuple[str, str], dict[str, AttributeSeen]] = defaultdict(dict)
        for account_id, attribute in self._from_exchanges(dataset, window):
            _merge(seen, account_id, attribute)
        for account_id, attribute in self._from_accounts(dataset, accounts):
            _merge(seen, account_id, attribute)
        return seen

    def _from_exchanges(self, dataset: Dataset, window: Window) -> Iterator[tuple[str, AttributeSeen]]:
        """Give what enough accounts show; what fewer do never leaves the engine: most addresses are shown by one."""
        rows = dataset.within(window)
        columns = [(rows[column], kind) for column, kind in FROM_EXCHANGES.items() if column in dataset.columns]
        if "ip" in dataset.columns:
            columns.append((subnet_in(rows.ip), "subnet"))
        for column, kind in columns:
            some = rows.select("account_id", "ts", value=column.cast("string")).filter(lambda t: t.value.notnull())
            grouped = some.group_by(["account_id", "value"]).aggregate(
                count=some.count(), first=some.ts.min(), last=some.ts.max()
            )
            fewest = self._fewest(kind) if kind in NETWORK else 1 if kind in FROM_ACCOUNTS.values() else 2
            holders = grouped.group_by("value").aggregate(holders=grouped.count())
            shared = grouped.semi_join(holders.filter(holders.holders >= fewest), "value") if fewest > 1 else grouped
            for row in as_rows(dataset.arrow(shared)):
                yield row["account_id"], AttributeSeen(kind, row["value"], row["count"], row["first"], row["last"])

    def _from_accounts(
        self, dataset: Dataset, accounts: Mapping[str, AccountSeen]
    ) -> Iterator[tuple[str, AttributeSeen]]:
        columns = [column for column in FROM_ACCOUNTS if column in dataset.account_columns]
        for row in as_rows(dataset.arrow(dataset.accounts.select("account_id", *columns))):
            account = accounts.get(row["account_id"])
            if account is None:
                continue
            for column in columns:
                if row[column]:
                    value = row[column].lower() if column == "email_domain" else row[column]
                    yield (
                        account.account_id,
                        AttributeSeen(FROM_ACCOUNTS[column], value, 1, account.first_seen, account.last_seen),
                    )

    def _address_kinds(self, dataset: Dataset, window: Window, shared: Seen) -> Mapping[str, str]:
        """Give the kind of network of shared addresses and subnets: strangers share a consumer network by nature."""
        named = {str(row["asn"]): row["kind"] for row in as_rows(dataset.arrow(dataset.networks.select("asn", "kind")))}
        if not {"ip", "asn"} <= dataset.columns:
            return named
        rows = dataset.within(window)
        for kind, column in (("ip", rows.ip), ("subnet", subnet_in(rows.ip))):
            values = sorted(value for of, value in shared if of == kind)
            if not values:
                continue
            wanted = ibis.memtable(pa.table({"value": values}))
            pairs = rows.select("asn", value=column).semi_join(wanted, "value").distinct()
            kinds = pairs.inner_join(dataset.networks, "asn").group_by("value").aggregate(kind=lambda t: t.kind.min())
            named |= {row["value"]: row["kind"] for row in as_rows(dataset.arrow(kinds))}
        return named

    def _fewest(self, kind: str) -> Number:
        """Two accounts behind one address are a household: networks need three to be worth a finding."""
        return self.parameters["fewest_accounts_on_a_network" if kind in NETWORK else "fewest_accounts"]

    def _hubs(self, dataset: Dataset, shared: Seen, population: int) -> dict[tuple[str, str], Hub]:
        kinds = {str(row["asn"]): row["kind"] for row in as_rows(dataset.arrow(dataset.networks.select("asn", "kind")))}
        limit = max(self.parameters["hub_floor"], self.parameters["hub_share"] * population)
        hubs = {}
        for (kind, value), holders in shared.items():
            reason = None
            if kind == "asn" and kinds.get(value) in SHARED_BY_NATURE:
                reason = f"a network of kind {kinds[value]} carries unrelated customers"
            elif kind == "email_domain" and value in PUBLIC_MAIL:
                reason = "a public mail service"
            elif kind not in NEVER_A_HUB and len(holders) > limit:
                reason = f"shown by {len(holders):,} of {population:,} accounts, more than {limit:,.0f}"
            if reason:
                hubs[kind, value] = Hub(kind, value, len(holders), reason)
        return hubs

    def _finding(
        self,
        window: Window,
        key: tuple[str, str],
        holders: Mapping[str, AttributeSeen],
        accounts: Mapping[str, AccountSeen],
        at: Mapping[str, str],
    ) -> Sequence[FindingDraft]:
        kind, value = key
        together = overlap([(seen.first_seen, seen.last_seen) for seen in holders.values()])
        rare = rarity(len(holders), len(accounts))
        nature = AT_KIND.get(at.get(value, ""), 0.6) if kind in ("ip", "subnet", "asn") else 1.0
        score = self.parameters[f"weight_{kind}"] * nature * rare * (0.6 + 0.4 * together)
        if score < self.parameters["lowest_score"]:
            return []
        share = f"{plural(len(holders), 'accounts')} of {len(accounts):,}"
        return list(
            self.drafts(
                window,
                (kind, value),
                [with_attributes(accounts[account_id], [seen]) for account_id, seen in holders.items()],
                title=f"{WORDS[kind].capitalize()} shared by {plural(len(holders), 'accounts')}",
                summary=f"{share} active ones show the same {WORDS[kind]}; {together:.0%} of them in the same span.",
                score=score,
                confidence=confidence_word(score, len(holders)),
                support={"accounts": len(holders), "population": len(accounts), "rarity": round(rare, 4)},
            )
        )


def subnet_of(ip: str) -> str | None:
    """Give the /24 of an IPv4 address or the /48 of an IPv6 one; None for text that is no address."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return None
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False))


def subnet_in(ip: Any) -> Any:
    """Give the subnet of a column of addresses in text, as `subnet_of` does; null for text that is no address.

    Of an IPv6 address the first three groups are read as they are written: without leading zeros, as every log does.
    """
    low = ip.lower()
    four = low.re_extract(r"^(\d+\.\d+\.\d+)\.\d+$", 1)
    two = low.re_extract(r"^([0-9a-f]+:[0-9a-f]+):(?::|0+:)", 1)
    three = low.re_extract(r"^([0-9a-f]+:[0-9a-f]+:[0-9a-f]+):", 1)
    one = low.re_extract(r"^([0-9a-f]+)::", 1)
    return ibis.cases(
        (four.length() > 0, four.concat(".0/24")),
        (two.length() > 0, two.concat("::/48")),
        (three.length() > 0, three.concat("::/48")),
        (one.length() > 0, one.concat("::/48")),
    )


def _merge(seen: dict[tuple[str, str], dict[str, AttributeSeen]], account_id: str, new: AttributeSeen) -> None:
    holders = seen[new.type, new.value]
    old = holders.get(account_id)
    holders[account_id] = (
        new
        if old is None
        else AttributeSeen(
            new.type,
            new.value,
            old.count + new.count,
            min(old.first_seen, new.first_seen),
            max(old.last_seen, new.last_seen),
        )
    )


def _without_echoes(shared: Seen) -> Seen:
    """Drop a subnet whose holders are those of one address inside it: it would say the same thing twice."""
    by_subnet: dict[str, set[frozenset[str]]] = defaultdict(set)
    for (kind, value), holders in shared.items():
        if kind == "ip" and (subnet := subnet_of(value)):
            by_subnet[subnet].add(frozenset(holders))
    return {
        key: holders
        for key, holders in shared.items()
        if key[0] != "subnet" or frozenset(holders) not in by_subnet[key[1]]
    }


def readable(kind: str, value: Any) -> str:
    """Give the attribute type in words for a sentence."""
    return WORDS.get(kind, str(kind).replace("_", " "))
