"""Who sends the simulated traffic: networks, ordinary customers, groups that share something openly, and campaigns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from detection.simulation import texts

MAIL = ("mail.example.com", "post.example.net", "inbox.example.org", "letters.example")
COUNTRIES = ("AA", "QM", "QN", "QO", "QP", "QQ", "XA", "XB")  # user-assigned codes of ISO 3166: no real country
CLIENTS = (
    *(f"sdk-python/{major}.{minor}" for major in (1, 2) for minor in range(6)),
    *(f"sdk-node/{major}.{minor}" for major in (3, 4) for minor in range(5)),
    *(f"http-tool/{n}.0" for n in range(1, 6)),
)
BROWSERS = tuple(f"Browser/{n}.0 ({system})" for n in (118, 119, 120) for system in ("desktop", "phone", "tablet"))
EDITORS = ("editor-plugin/0.8", "editor-plugin/0.9", "ide-helper/2.1")

Prompt = Callable[[Random], str]


@dataclass(frozen=True)
class Network:
    asn: int
    kind: str
    country: str
    number: int

    def address(self, host: int) -> str:
        """Give an address of this network in the documentation range 2001:db8::/32, one /48 for each network."""
        return f"2001:db8:{self.number:x}:{host >> 16 & 0xFFFF:x}::{host & 0xFFFF:x}"


@dataclass
class Account:
    """One simulated customer. `weight` is its share of its side's exchanges; `pick` makes a prompt."""

    id: str
    kind: str
    group: str | None
    org_id: str
    created_at: datetime
    email_domain: str
    country: str
    payment: str | None
    plan: str
    weight: float
    clients: tuple[str, ...]
    pick: Prompt
    networks: tuple[Network, ...]
    hosts: tuple[int, ...]
    active_days: float
    from_day: int = 0
    to_day: int = 10**6
    hour: float = 14.0
    hours: float = 4.0
    programme: str | None = None
    banned_at: datetime | None = None
    new_share: float = 0.15
    reasons: float = 0.1
    sent: int = field(default=0, compare=False)


@dataclass(frozen=True)
class World:
    """What the cast is made in: the span, the networks, the chance that decides everything."""

    start: datetime
    days: int
    release_day: int
    chance: Random
    networks: tuple[Network, ...]

    def of(self, *kinds: str) -> list[Network]:
        return [network for network in self.networks if network.kind in kinds]

    def token(self, prefix: str) -> str:
        return f"{prefix}_{self.chance.getrandbits(48):012x}"


def make_networks(r: Random) -> tuple[Network, ...]:
    """Make the networks; AS numbers are private ones above 4.2 billion (RFC 6996)."""
    kinds = ["isp"] * 40 + ["mobile"] * 12 + ["hosting"] * 14 + ["vpn"] * 6 + ["education"] * 2 + ["business"] * 3
    numbers = r.sample(range(4_200_000_000, 4_294_967_294), len(kinds))
    return tuple(
        Network(asn, kind, r.choice(COUNTRIES), place + 1)
        for place, (asn, kind) in enumerate(zip(numbers, kinds, strict=True))
    )


def filled(frame: str, filler: texts.Filler) -> Prompt:
    return lambda r: frame.replace("{}", filler(r), 1)


def mixed(parts: Sequence[tuple[float, Prompt]]) -> Prompt:
    """Make a prompt source that draws from several by weight."""
    weights, prompts = [weight for weight, _ in parts], [prompt for _, prompt in parts]
    return lambda r: r.choices(prompts, weights)[0](r)


def ordinary(world: World) -> Account:
    """Make one ordinary customer of a random kind."""
    r = world.chance
    kind = r.choices(
        ("chat_hobby", "dev_hobby", "ide_assist", "saas_app", "pipeline", "agent_app"), (38, 14, 12, 18, 12, 6)
    )[0]
    if kind == "chat_hobby":
        return _person(world, kind, texts.chat, BROWSERS, 1.0, 0.25)
    if kind == "dev_hobby":
        return _person(world, kind, mixed([(7, texts.code), (3, texts.chat)]), CLIENTS + BROWSERS, 2.0, 0.35)
    if kind == "ide_assist":
        return _person(world, kind, mixed([(9, texts.complete), (1, texts.code)]), EDITORS, 5.0, 0.6)
    if kind == "saas_app":
        return _firm(world, kind, filled(texts.product_frame(r), texts.question), 7.0)
    if kind == "agent_app":
        return _firm(
            world, kind, mixed([(1, filled(f, texts.PUBLIC["agent"][1])) for f in texts.PUBLIC["agent"][0]]), 5.0
        )
    name = r.choice(("translate", "extract", "summarise", "tutor"))
    frames, filler = texts.PUBLIC[name]
    return _firm(world, kind, filled(r.choice(frames), filler), 6.0)


def _person(world: World, kind: str, pick: Prompt, clients: Sequence[str], weight: float, active: float) -> Account:
    r = world.chance
    home = r.choice(world.of("isp", "mobile"))
    networks = (home,) if r.random() < 0.6 else (home, r.choice(world.of("isp", "mobile", "vpn")))
    return Account(
        id=world.token("acct"),
        kind=kind,
        group=None,
        org_id=world.token("org"),
        created_at=_registered(world),
        email_domain=r.choice(MAIL),
        country=home.country,
        payment=world.token("pf") if r.random() < 0.6 else None,
        plan=r.choice(("free", "payg", "payg")),
        weight=weight * r.lognormvariate(0, 0.8),
        clients=(r.choice(clients),),
        pick=pick,
        networks=networks,
        hosts=tuple(r.getrandbits(28) for _ in networks),
        active_days=active,
        hour=r.uniform(7, 22),
    )


def _firm(world: World, kind: str, pick: Prompt, weight: float) -> Account:
    r = world.chance
    home = r.choice(world.of("hosting", "hosting", "isp"))
    return Account(
        id=world.token("acct"),
        kind=kind,
        group=None,
        org_id=world.token("org"),
        created_at=_registered(world),
        email_domain=f"{r.choice(texts.THINGS)}-{r.choice(texts.THINGS)}{r.randint(1, 99)}.example",
        country=home.country,
        payment=world.token("pf"),
        plan=r.choice(("payg", "team", "enterprise")),
        weight=weight * r.lognormvariate(0, 1.0),
        clients=(r.choice(CLIENTS),),
        pick=pick,
        networks=(home,),
        hosts=(r.getrandbits(28),),
        active_days=0.8,
        hour=12,
        hours=10,
    )


def _registered(world: World) -> datetime:
    """Give a registration time over the two years before, some of them inside the window."""
    back = world.chance.uniform(-0.6 * world.days, 700)
    return world.start - timedelta(days=back)


def company(world: World, group: str, size: int) -> list[Account]:
    """Make a company's staff: one organisation, one payer, one domain, mostly one office network. Openly linked."""
    r = world.chance
    office, org, payer = r.choice(world.of("business")), world.token("org"), world.token("pf")
    domain = f"{r.choice(texts.THINGS)}-works.example"
    host = r.getrandbits(28)
    staff = []
    for _ in range(size):
        one = ordinary(world)
        one.kind, one.group, one.org_id, one.payment, one.email_domain = "corp_nat", group, org, payer, domain
        one.networks, one.hosts = (office, *one.networks[:1]), (host, *one.hosts[:1])
        one.weight = min(one.weight, 3.0)
        staff.append(one)
    return staff


def school_class(world: World, group: str, size: int) -> list[Account]:
    """Make a class: registered in one week, one school network, the same sheet of exercises, private accounts."""
    r = world.chance
    school, host = r.choice(world.of("education")), r.getrandbits(28)
    first = r.randrange(2, max(3, world.days // 2))
    sheet = filled("Exercise {} ".replace("{}", str(r.randint(1, 9))) + "of the term sheet: {}", texts.puzzle)
    pupils = []
    for _ in range(size):
        one = _person(world, "nat_class", mixed([(6, sheet), (3, texts.chat), (1, texts.code)]), BROWSERS, 1.0, 0.4)
        one.group, one.email_domain = group, "pupils.school.example"
        one.created_at = world.start + timedelta(days=first, hours=r.uniform(0, 72))
        one.from_day = first
        one.networks, one.hosts = (school, one.networks[0]), (host, one.hosts[0])
        pupils.append(one)
    return pupils


def evaluation_harness(world: World, group: str, size: int) -> list[Account]:
    """Make an evaluation team: one organisation, openly, whose accounts run benchmark templates every night."""
    r = world.chance
    org, payer, cloud = world.token("org"), world.token("pf"), r.choice(world.of("hosting"))
    frames = [filled(texts.bench_frame(r), filler) for filler in (texts.puzzle, texts.task, texts.answer_pair)]
    runners = []
    for _ in range(size):
        one = _firm(world, "eval_harness", mixed([(1, frame) for frame in frames]), 9.0)
        one.group, one.org_id, one.payment, one.email_domain = group, org, payer, "quillon-evaluation.example"
        one.networks, one.hosts, one.clients = (cloud,), (r.getrandbits(28),), ("eval-runner/3.2",)
        one.weight, one.hour, one.hours, one.reasons = 9.0, 2.0, 2.0, 0.5
        runners.append(one)
    return runners


def reseller_pool(world: World, group: str, size: int) -> list[Account]:
    """Make a reseller's customers: the reseller pays and registers through its programme; they do as they please."""
    r = world.chance
    payer, programme = world.token("pf"), f"channel-partner-{r.randint(100, 999)}"
    customers = []
    for _ in range(size):
        one = ordinary(world)
        one.kind, one.group, one.payment, one.programme, one.plan = "reseller_pool", group, payer, programme, "payg"
        one.weight = min(max(one.weight, 1.5), 6.0)
        customers.append(one)
    return customers


def campaign(world: World, group: str, size: int) -> list[Account]:
    """Make a suspected-campaign pool: strangers on paper, small payment rings, bursts, proxies, a few secret frames.

    Some accounts are banned within the window and replaced by later registrations, as public reports describe.
    """
    r = world.chance
    proxies = r.sample(world.of("vpn"), 2)
    frames = _campaign_frames(r)
    clients = r.sample(CLIENTS, 2)
    rings = [world.token("pf") for _ in range(max(2, size // 4))]
    bursts = sorted(r.sample(range(-20, max(1, world.days // 3)), 3))
    odd_domain = f"{r.choice(texts.THINGS)}-{r.choice(texts.THINGS)}-labs.example"
    cover = mixed([(2, texts.chat), (1, texts.code)])
    pool = []
    for place in range(size):
        one = _person(
            world, "campaign", mixed([(3, cover), *((frame[0], frame[1]) for frame in frames)]), clients, 1.0, 0.7
        )
        burst = bursts[place % len(bursts)]
        one.group, one.payment, one.plan = group, rings[place % len(rings)], "payg"
        one.created_at = world.start + timedelta(days=burst, hours=r.uniform(0, 30))
        one.email_domain = odd_domain if r.random() < 0.3 else r.choice(MAIL)
        one.networks = tuple(r.sample(proxies, len(proxies)))
        one.hosts = tuple(r.randrange(60) for _ in one.networks)
        one.from_day = max(0, burst + 2)
        one.weight = r.lognormvariate(0, 0.25)
        one.hour, one.hours, one.new_share, one.reasons = r.uniform(0, 24), 8.0, 0.7, 0.45
        pool.append(one)
    _replace_some(world, pool)
    return pool


def _campaign_frames(r: Random) -> list[tuple[float, Prompt]]:
    """Make six frames: three sweeps over many skills, two that ask for the reasoning, one that grades pairs."""
    sweeps = [filled(texts.sweep_frame(r), texts.task) for _ in range(3)]
    elicits = [filled(texts.elicit_frame(r), texts.puzzle) for _ in range(2)]
    return (
        [(1.6, p) for p in sweeps]
        + [(1.6, p) for p in elicits]
        + [(1.0, filled(texts.grade_frame(r), texts.answer_pair))]
    )


def _replace_some(world: World, pool: list[Account]) -> None:
    """Ban a tenth of the pool in the middle of the window and let others start in the days after."""
    tenth = max(1, len(pool) // 10)
    day = world.days // 2
    for one in pool[:tenth]:
        one.to_day = day
        one.banned_at = world.start + timedelta(days=day, hours=9)
    for one in pool[-tenth:]:
        one.created_at = world.start + timedelta(days=day + 1, hours=world.chance.uniform(0, 20))
        one.from_day = day + 1


def make_cast(world: World, accounts: int, campaigns: int, campaign_share: float) -> list[Account]:
    """Make the whole cast: campaigns and groups first, ordinary customers for the rest; exactly `accounts` of them."""
    pools = max(0, round(accounts * campaign_share))
    each = max(12, pools // campaigns) if campaigns else 0
    cast = [one for n in range(campaigns) for one in campaign(world, f"C{n + 1:02d}", each)]
    groups = max(1, accounts // 20_000)
    for n in range(groups):
        cast += evaluation_harness(world, f"B{4 * n + 1:02d}", 6)
        cast += reseller_pool(world, f"B{4 * n + 2:02d}", min(40, max(12, accounts // 40)))
        cast += school_class(world, f"B{4 * n + 3:02d}", min(26, max(8, accounts // 60)))
        cast += company(world, f"B{4 * n + 4:02d}", min(15, max(6, accounts // 100)))
    if len(cast) > accounts:
        raise ValueError(
            f"{accounts} accounts are too few for {campaigns} campaigns and the groups: at least {len(cast)} are needed"
        )
    return cast + [ordinary(world) for _ in range(accounts - len(cast))]
