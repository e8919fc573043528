"""Verbs on keys: a person's API tokens, and the keys of detectors. Of a key only the digest is kept."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from people import addresses
from people.models import LIMITS, ApiToken, DetectorKey, Key, User
from people.rights import rights_of
from spine import log
from spine.errors import Refused

TOKEN_DAYS, KEY_DAYS, MOST_DAYS = 90, 365, 366
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
    value, prefix, sha256 = DetectorKey.fresh_secret()
    key = DetectorKey.objects.create(
        detector=detector, name=_clean(name), prefix=prefix, sha256=sha256, expires_at=until, networks=places, **most
    )
    data = {"detector": detector, "prefix": prefix, "until": until.date().isoformat(), "networks": places}
    log.record(actor=actor, action="detector_key.created", about=key, data=data | {"limits": key.limits})
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
    """Let a detector's key open nothing any more. Side effects: one log entry, unless it was revoked already."""
    if _revoke(DetectorKey, key):
        data = {"detector": key.detector, "prefix": key.prefix}
        log.record(actor=actor, action="detector_key.revoked", about=key, data=data)


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
