"""Verbs on keys: a person's API tokens, and the keys of detectors. Of a key only the digest is kept."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from people import addresses, key_health
from people.models import LIMITS, ApiToken, DetectorKey, Key, User
from people.rights import rights_of
from spine import conditions, log
from spine.errors import Conflict, Refused

TOKEN_DAYS, KEY_DAYS, MOST_DAYS = 90, 365, 366
OVERLAP_DAYS = 7
NETWORKS_LIMIT = 50
MOST_LIMIT = 1_000_000_000


@transaction.atomic
def create_token(
    *,
    actor: str,
    username: str,
    name: str = "",
    rights: Iterable[str] | None = None,
    days: int = TOKEN_DAYS,
    within: ApiToken | None = None,
) -> str:
    """Make an API token for a person and return it; it is not kept and cannot be shown again.

    `rights` are some of the person's, all of them when None. Made by means of another token, it gets none that this
    one lacks, and no longer life. Side effects: one log entry.
    """
    person = User.objects.filter(username=username, is_active=True).first()
    if person is None:
        raise Refused(f"Nobody active is called {username}.", field="username")
    held = rights_of(person) & (frozenset(within.rights) if within else rights_of(person))
    chosen = held if rights is None else frozenset(rights)
    if not chosen or not chosen <= held:
        lacking = ", ".join(sorted(chosen - held)) or "none"
        raise Refused(f"A token holds some of your rights; not among them: {lacking}.", field="scopes")
    until = _until(days, MOST_DAYS)
    if within is not None and within.expires_at is not None:
        until = min(until, within.expires_at)
    value, prefix, sha256 = ApiToken.fresh_secret()
    token = ApiToken.objects.create(
        user=person, name=_clean(name), prefix=prefix, sha256=sha256, rights=sorted(chosen), expires_at=until
    )
    data = {"username": username, "prefix": prefix, "scopes": sorted(chosen), "until": until.date().isoformat()}
    log.record(actor=actor, action="token.created", about=token, data=data)
    return value


@transaction.atomic
def create_detector_key(
    *,
    actor: str,
    detector: str,
    name: str = "",
    days: int = KEY_DAYS,
    networks: Sequence[str] = (),
    limits: Mapping[str, int | None] | None = None,
) -> str:
    """Make a key for a detector and return it; it is not kept and cannot be shown again. Side effects: a log entry.

    `limits` are of `people.models.LIMITS`; none is set when left out.
    """
    until = _until(days, MOST_DAYS)
    places = _networks(networks)
    most = _limits(limits or {})
    made = DetectorKey(detector=detector, name=_clean(name), expires_at=until, networks=places, **most)
    return _made(made, actor=actor)


@transaction.atomic
def replace_detector_key(
    key: DetectorKey,
    *,
    actor: str,
    name: str | None = None,
    days: int = KEY_DAYS,
    overlap: int = OVERLAP_DAYS,
) -> tuple[DetectorKey, str]:
    """Make a key that takes the place of this one; gives its row and what it opens with, which is not kept.

    It is for the same detector, from the same networks, with the same limits, and by the same name unless another is
    given. The old key works for `overlap` days more, and no longer than it would have; 0 ends it at once.
    Side effects: the new key, the end of the old one, a log entry for each; what was told of its end is settled.
    Refused for a key that is revoked or over, and, as a Conflict, for one whose successor still works.
    """
    until = _until(days, MOST_DAYS)
    if not 0 <= overlap <= MOST_DAYS:
        raise Refused(f"The old key works from 0 to {MOST_DAYS} days more.", field="overlap_days")
    old = _replaceable(key)
    new = DetectorKey(
        detector=old.detector,
        name=old.name if name is None else _clean(name),
        expires_at=until,
        networks=old.networks,
        **old.limits,
    )
    value = _made(new, actor=actor, replaces=old.prefix)
    end = timezone.now() + timedelta(days=overlap)
    old.expires_at = end = end if old.expires_at is None else min(end, old.expires_at)
    old.save(update_fields=["expires_at"])
    data = {"detector": old.detector, "prefix": old.prefix, "until": end.date().isoformat()}
    by = {"by": new.prefix, "successor": str(new.pk)}
    log.record(actor=actor, action="detector_key.replaced", about=old, data=data | by)
    conditions.settle(key_health.condition_of(old))
    return new, value


def _replaceable(key: DetectorKey) -> DetectorKey:
    """The key's row, held; raises Refused where there is nothing to replace."""
    held = DetectorKey.objects.select_for_update().get(pk=key.pk)
    if not held.is_usable:
        gone = "was revoked" if held.revoked_at else "has run out"
        raise Refused(f"This key {gone}: nothing is left to replace. Make a new one.")
    successor = key_health.with_successors([held])[0].successor
    if successor is not None and successor.is_usable:
        by = f"rt_det_{successor.prefix}_…"
        raise Conflict(f"This key was replaced by {by} already. Replace that one, or revoke it first.")
    return held


def _made(key: DetectorKey, *, actor: str, **also: str) -> str:
    value, key.prefix, key.sha256 = DetectorKey.fresh_secret()
    key.save(force_insert=True)
    until = key.expires_at.date().isoformat() if key.expires_at else "never"
    data = {"detector": key.detector, "prefix": key.prefix, "until": until, "networks": key.networks}
    log.record(actor=actor, action="detector_key.created", about=key, data=data | {"limits": key.limits} | also)
    return value


@transaction.atomic
def limit_detector_key(key: DetectorKey, *, actor: str, limits: Mapping[str, int | None]) -> None:
    """Set what a key may send in a time; None takes a limit off. Side effects: a log entry, unless nothing changes."""
    most = _limits(limits)
    row = DetectorKey.objects.select_for_update().get(pk=key.pk)
    old = row.limits
    for name, value in most.items():
        setattr(row, name, value)
    if row.limits == old:
        return
    row.save(update_fields=list(most))
    data = {"detector": row.detector, "prefix": row.prefix, "old": old, "new": row.limits}
    log.record(actor=actor, action="detector_key.limited", about=row, data=data)


@transaction.atomic
def revoke_token(token: ApiToken, *, actor: str) -> None:
    """Let a token open nothing any more. Side effects: one log entry, unless it was revoked already."""
    if _revoke(ApiToken, token):
        data = {"username": token.user.username, "prefix": token.prefix}
        log.record(actor=actor, action="token.revoked", about=token, data=data)


@transaction.atomic
def revoke_detector_key(key: DetectorKey, *, actor: str) -> None:
    """Let a detector's key open nothing any more.

    Side effects: one log entry, unless it was revoked already; what was told of its end is settled.
    """
    if _revoke(DetectorKey, key):
        data = {"detector": key.detector, "prefix": key.prefix}
        log.record(actor=actor, action="detector_key.revoked", about=key, data=data)
        conditions.settle(key_health.condition_of(key))


def _revoke(model: type[ApiToken] | type[DetectorKey], key: Key) -> int:
    return model.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now())


def _until(days: int, most: int) -> datetime:
    if not 1 <= days <= most:
        raise Refused(f"A key lives from 1 to {most} days.", field="expires_in_days")
    return timezone.now() + timedelta(days=days)


def _clean(name: str) -> str:
    cleaned = " ".join(name.replace("\x00", "").split())
    if len(cleaned) > 120:
        raise Refused("What a key is for has at most 120 characters.", field="name")
    return cleaned


def _limits(given: Mapping[str, int | None]) -> dict[str, int | None]:
    for name, value in given.items():
        if name not in LIMITS:
            raise Refused(f"There is no limit called {name}; there are {', '.join(LIMITS)}.", field="limits")
        if value is not None and not 1 <= value <= MOST_LIMIT:
            raise Refused(f"A limit is from 1 to {MOST_LIMIT:,}, or none.", field=name)
    return dict(given)


def _networks(given: Sequence[str]) -> list[str]:
    if len(given) > NETWORKS_LIMIT:
        raise Refused(f"At most {NETWORKS_LIMIT} networks are accepted.", field="networks")
    try:
        return [addresses.network(text) for text in given if text.strip()]
    except ValueError as error:
        raise Refused(f"Not a network such as 192.0.2.0/24: {error}", field="networks") from None
