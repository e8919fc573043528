"""What an assessment rests on: the figures of one cluster, each with its definition."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from detection.candidates import Limits, behind_one_line, cap_of
from detection.population import PAYERS, PROXY, Places, Population
from detection.records import AccountFacts, Link
from detection.surprise import LEAST_LIFT, LEAST_SHARE, NONE, Surprise

OPEN_NETWORKS = frozenset({"education", "business"})
PURSES = frozenset({"payment_fingerprint", "programme", "api_key"})
COMMON_SHARE, COMMON_LIFT = 0.25, 4.0
EVENT_DAYS = 5.0
OWN_DOMAIN, ONE_FIRM = 0.8, 0.6
TOLD = 0.5
COHORT, COHORT_DAYS = 0.6, 7.0


@dataclass(frozen=True)
class Evidence:
    """All an assessment rests on: the members, what they were tested for, the behaviours and links they share.

    `held` gives the numbers of the behaviours each place holds; `strength` is the evidence in powers of ten;
    `suspected` tells a pool that was searched for from accounts that shared values alone tie.
    """

    population: Population
    places: Places
    held: Mapping[int, Sequence[int]]
    tests: Mapping[str, Surprise]
    strength: float
    suspected: bool
    links: Sequence[Link]
    carried: Mapping[str, int]
    limits: Limits

    @cached_property
    def accounts(self) -> list[AccountFacts]:
        return [self.population.facts[place] for place in self.places.tolist()]

    @cached_property
    def size(self) -> int:
        return len(self.places)

    @cached_property
    def organisation_share(self) -> float:
        """Share of members in the largest organisation; 0 when no organisation is known."""
        known = Counter(f.org_id for f in self.accounts if f.org_id)
        return max(known.values()) / self.size if known else 0.0

    @cached_property
    def organisations(self) -> int:
        return len({f.org_id for f in self.accounts if f.org_id})

    @cached_property
    def payers(self) -> int:
        return len({f.payment_fingerprint for f in self.accounts if f.payment_fingerprint})

    def told(self, *names: str) -> bool:
        """Tell whether the source says one of these facts of at least half of the members."""
        return sum(any(getattr(f, name) for name in names) for f in self.accounts) >= TOLD * self.size

    @cached_property
    def identity_known(self) -> bool:
        """Tell whether the source says who members belong to: without, strangers cannot be told from one customer."""
        return self.told("org_id", "payment_fingerprint")

    @cached_property
    def lines_known(self) -> bool:
        """Tell whether the source says from what kind of network: without, a class or an office cannot be ruled out."""
        return self.told("home_kind")

    @cached_property
    def common(self) -> list[tuple[int, int]]:
        """Behaviours of a quarter of the members, four times as common here as outside: (which, how many show it)."""
        inside: dict[int, int] = defaultdict(int)
        for place in self.places.tolist():
            for number in self.held.get(place, ()):
                inside[number] += 1
        rest = max(1, self.population.size - self.size)
        found = []
        for number, count in inside.items():
            outside = (len(self.population.behaviours[number].holders) - count) / rest
            if count >= max(2, COMMON_SHARE * self.size) and count / self.size >= COMMON_LIFT * outside:
                found.append((number, count))
        return sorted(found, key=lambda pair: (-pair[1], self.population.behaviours[pair[0]].key))

    @cached_property
    def filled(self) -> dict[int, dict[int, int]]:
        """How often each member fills each common behaviour: place → behaviour → times."""
        mine = set(self.places.tolist())
        filled: dict[int, dict[int, int]] = defaultdict(dict)
        for number, _ in self.common:
            behaviour = self.population.behaviours[number]
            for place, count in zip(behaviour.holders.tolist(), behaviour.counts.tolist(), strict=True):
                if place in mine:
                    filled[place][number] = count
        return filled

    @cached_property
    def spread(self) -> float:
        """Effective number of common behaviours (exponential of the entropy of their exchanges)."""
        totals: dict[int, int] = defaultdict(int)
        for own in self.filled.values():
            for number, count in own.items():
                totals[number] += count
        return effective([totals[number] for number in sorted(totals)])

    @cached_property
    def focus(self) -> float:
        """Median share of a member's prompts that fill a common behaviour."""
        shares = sorted(
            min(1.0, sum(self.filled.get(place, {}).values()) / float(self.population.prompts[place]))
            for place in self.places.tolist()
        )
        return shares[len(shares) // 2]

    @cached_property
    def open_network(self) -> float:
        """Share of members whose usual network is one and the same school or company."""
        homes = Counter(f.home_asn for f in self.accounts if f.home_kind in OPEN_NETWORKS)
        return max(homes.values()) / self.size if homes else 0.0

    @cached_property
    def purse(self) -> float:
        """Share of members tied to another by a payment fingerprint, programme or key."""
        return len({link.account_id for link in self.links if link.type in PURSES}) / self.size

    @cached_property
    def largest_purse(self) -> float:
        """Share of members behind the most shared payment fingerprint, programme or key."""
        values = Counter((link.type, link.value) for link in self.links if link.type in PURSES)
        return max(values.values()) / self.size if values else 0.0

    @cached_property
    def egress(self) -> float:
        """Share of members behind the most shared address or subnet; 0 where most come through commercial proxies."""
        return behind_one_line(self.population, self.places)

    @cached_property
    def one_hand(self) -> float:
        """Powers of ten of what one hand behind the accounts explains and one course, promotion or tool does not.

        That is payers or keys that several share, mail domains that hardly anybody else uses, far more networks than
        their use explains, volumes as even as no customers' are, one commercial proxy, and scaffolds combined by
        accounts that did not come in one week. When accounts came, their client, country, school's mail domain, host
        and voucher are left out: whoever enrols together or pastes a key into the same tool has those in common. Where
        most have one mail domain, they may be the staff of whoever owns it, and only payers and scaffolds count: a firm
        has one mail domain, hours, and a way out of its own.
        """
        counted = set() if self.may_be_staff else {"volume"}
        if self.roams_far and not self.may_be_staff:
            counted.add("roaming")
        if self.came_together < COHORT:
            counted.add("combination")  # the people of one course all do its exercises
        if self.paid_together >= LEAST_SHARE:
            counted.add("ring")
        if self.proxied >= 0.5 and not self.may_be_staff:
            counted.add("network")
        if self.own_domains >= LEAST_SHARE and not self.may_be_staff:
            counted.add("domain")
        told = {name: self.tests[name].power for name in sorted(counted) if name in self.tests}
        return sum(min(power, cap_of(name, self.limits)) for name, power in told.items() if power >= self.limits.least)

    @cached_property
    def proxied(self) -> float:
        """Share of members that mostly come through commercial proxies."""
        return float((self.population.kind[self.places] == PROXY).mean())

    @cached_property
    def roams_far(self) -> bool:
        """Whether members come from so many more networks than others that phones and travel do not explain it."""
        own, usual = self.tests.get("roaming", NONE).of or (0.0, 0.0)
        return bool(own >= LEAST_LIFT * max(usual, 1e-9))

    @cached_property
    def came_together(self) -> float:
        """Share of members registered within one week; by their first use where registrations are not known."""
        registered, first = (days[self.places] for days in (self.population.created, self.population.first))
        days = np.sort(first if np.isnan(registered).mean() > COHORT else registered[~np.isnan(registered)])
        within = np.searchsorted(days, days + COHORT_DAYS, side="right") - np.arange(len(days))
        return float(within.max(initial=0)) / self.size

    @cached_property
    def paid_together(self) -> float:
        """Share of members tied to another by a payment fingerprint or key."""
        return len({link.account_id for link in self.links if link.type in PAYERS}) / self.size

    @cached_property
    def own_domains(self) -> float:
        """Share of members with a mail domain of which four in five accounts are members."""
        return float(self._on_own_domains.sum()) / self.size

    @cached_property
    def one_domain(self) -> float:
        """Share of members with the most common of these mail domains."""
        return float(self._on_own_domains.max(initial=0)) / self.size

    @cached_property
    def may_be_staff(self) -> bool:
        """Whether so many have one mail domain of their own that they may be the staff of one firm, openly."""
        return self.one_domain >= ONE_FIRM

    @cached_property
    def _on_own_domains(self) -> Places:
        """How many members have each mail domain of which four in five accounts are members."""
        codes = self.population.codes["domain"]
        known = codes[codes >= 0]
        everybody = np.bincount(known)
        mine = np.bincount(codes[self.places][codes[self.places] >= 0], minlength=len(everybody))
        return mine[(mine >= 2) & (mine >= OWN_DOMAIN * everybody)]

    @cached_property
    def at_one_event(self) -> float:
        """Share of members all of whose use lies within one span of five days, as with a contest or a workshop."""
        first, last = self.population.first[self.places], self.population.last[self.places]
        brief = last - first <= EVENT_DAYS
        if not brief.any():
            return 0.0
        # A span that begins between these two holds a member's use; as many as overlap most share one.
        earliest, latest = np.sort(last[brief] - EVENT_DAYS), np.sort(first[brief])
        overlapping = np.arange(1, len(earliest) + 1) - np.searchsorted(latest, earliest, side="left")
        return float(overlapping.max()) / self.size

    @cached_property
    def new_model_excess(self) -> float:
        """Share of exchanges on models released in the window, members minus everybody else."""
        new, sent = self.population.new_models, self.population.exchanges
        mine, all_mine = float(new[self.places].sum()), float(sent[self.places].sum())
        others, all_others = float(new.sum()) - mine, float(sent.sum()) - all_mine
        return mine / max(1.0, all_mine) - others / max(1.0, all_others)

    @cached_property
    def end_users(self) -> float:
        return sum(f.end_users > 1 for f in self.accounts) / self.size

    @cached_property
    def telling(self) -> list[str]:
        """The tests that speak against chance enough to count as evidence, strongest first."""
        named = [name for name, surprise in self.tests.items() if surprise.power >= self.limits.least]
        return sorted(named, key=lambda name: (-self.tests[name].power, name))

    def features(self) -> dict[str, float]:
        return {
            "accounts": self.size,
            "organisations": self.organisations,
            "organisation_share": round(self.organisation_share, 4),
            "evidence": round(self.strength, 2),
            **{f"test_{name}": round(surprise.power, 2) for name, surprise in sorted(self.tests.items())},
            "used_in_sessions": round(float(self.population.persons[self.places].mean()), 4),
            "common_templates": len(self.common),
            "template_spread": round(self.spread, 3),
            "template_focus": round(self.focus, 4),
            "open_network_share": round(self.open_network, 4),
            "purse_share": round(self.purse, 4),
            "largest_purse_share": round(self.largest_purse, 4),
            "egress_share": round(self.egress, 4),
            "one_hand": round(self.one_hand, 2),
            "one_domain_share": round(self.one_domain, 4),
            "event_share": round(self.at_one_event, 4),
            "new_model_excess": round(self.new_model_excess, 4),
            "end_user_share": round(self.end_users, 4),
        }


def effective(counts: Sequence[int]) -> float:
    """Give the effective number of kinds: the exponential of the entropy of the counts; 0 for none."""
    total = sum(counts)
    return math.exp(-sum(n / total * math.log(n / total) for n in counts if n)) if total else 0.0
