"""The devices that asked: how they come, what they want, how they go, and the pages of them that a dispatch is planned by.

A device is known by its address at a push service, which only the browser, that service and we know; who names it may change what
it wants. So no sign-in and no cookie is needed, and no name or number is kept.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any

from cryptography.exceptions import InvalidTag
from flask import current_app
from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.orm import Session

from portal import current_settings
from portal.channels.push import services
from portal.channels.push.encryption import AUTH_BYTES, PUBLIC_BYTES, Keys
from portal.channels.push.models import PushDevice, PushDeviceRegion
from portal.core import keys as secrets
from portal.core.clock import utcnow
from portal.core.db import db, insert_into, transaction
from portal.core.sealing import TextSeal
from portal.regions import codes, lookup

CHUNK = 1000
MOST_REGIONS = 10
DAY = timedelta(days=1)


class TooMany(Exception):
    """Too many new devices came from one network address today."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a device wants to be told: communities, the lowest tier (a place in config.TIERS), a language."""

    region_codes: tuple[str, ...]
    lowest_tier: int
    language: str


@dataclass(frozen=True, slots=True)
class Subscription:
    """A browser's subscription: a checked address and the browser's keys."""

    address: services.Address
    keys: Keys


def put(subscription: Subscription, wanted: Wanted, came_from: str) -> bool:
    """Take a device in, or change what it wants; whether it is new. `came_from`: its network address, kept only as a keyed hash.
    Raises TooMany."""
    now, digest = utcnow(), _digest(subscription.address.url)
    values = {"sealed": _sealed(subscription, digest), "host": subscription.address.host[:120], "language": wanted.language,
              "lowest_tier": wanted.lowest_tier, "seen_at": now}
    with transaction() as session:
        known = session.scalar(select(PushDevice.id).where(PushDevice.endpoint_hash == digest).with_for_update())
        if known is None:
            source = _source(came_from)
            _bounded(session, source)
            found = session.execute(insert_into(session, PushDevice).values(
                endpoint_hash=digest, source_hash=source, created_at=now, **values)
                .on_conflict_do_update(index_elements=["endpoint_hash"], set_=values).returning(PushDevice.id)).scalar_one()
        else:
            found = known
            session.execute(update(PushDevice).where(PushDevice.id == known).values(**values))
        _place(session, found, wanted.region_codes)
    return known is None


def of(url: str) -> Wanted | None:
    """What the device with this address wants; None when it is none of ours."""
    row = db.session.execute(select(PushDevice.id, PushDevice.lowest_tier, PushDevice.language).where(
        PushDevice.endpoint_hash == _digest(url))).first()
    if row is None:
        return None
    places = db.session.scalars(select(PushDeviceRegion.region_code).where(PushDeviceRegion.device_id == row.id)
                                .order_by(PushDeviceRegion.region_code))
    return Wanted(tuple(places), row.lowest_tier, row.language)


def renew(old: str, subscription: Subscription) -> bool:
    """A browser got another address: the device keeps what it wants. False when the old one is none of ours."""
    digest = _digest(subscription.address.url)
    with transaction() as session:
        device = session.scalar(select(PushDevice.id).where(PushDevice.endpoint_hash == _digest(old)).with_for_update())
        if device is None:
            return False
        session.execute(delete(PushDevice).where(PushDevice.endpoint_hash == digest, PushDevice.id != device))
        session.execute(update(PushDevice).where(PushDevice.id == device).values(
            endpoint_hash=digest, sealed=_sealed(subscription, digest), host=subscription.address.host[:120], seen_at=utcnow()))
    return True


def drop(url: str) -> bool:
    """Everything of the device with this address goes, at once; whether there was one."""
    with transaction() as session:
        return _remove(session, PushDevice.endpoint_hash == _digest(url)) > 0


def drop_many(urls: Iterable[str]) -> int:
    """Addresses that a push service says are gone; a browser that has another one by now stays."""
    gone = 0
    for chunk in _chunks(urls):
        with transaction() as session:
            gone += _remove(session, PushDevice.endpoint_hash.in_([_digest(url) for url in chunk]))
    return gone


def load(ids: Iterable[int]) -> dict[int, tuple[str, Keys]]:
    """Address and keys of those of the devices that are still there. Raises RuntimeError when the key is wrong."""
    seal, opened = _seal(), {}
    for chunk in _chunks(ids):
        for device in db.session.execute(
                select(PushDevice.id, PushDevice.endpoint_hash, PushDevice.sealed).where(PushDevice.id.in_(chunk))):
            try:
                body = seal.open_bytes(device.sealed, _seat(device.endpoint_hash))
            except InvalidTag as error:
                raise RuntimeError(
                    "addresses of notifications cannot be opened: ANLAN_PHONE_KEY is not the key that sealed them") from error
            end = PUBLIC_BYTES + AUTH_BYTES
            opened[device.id] = body[end:].decode(), Keys(body[:PUBLIC_BYTES], body[PUBLIC_BYTES:end])
    return opened


def page(region_code: str, language: str, tier: int, *, after_id: int = 0, limit: int = CHUNK) -> list[int]:
    """Ids of the devices of one community that want a bulletin of `tier` (a place in config.TIERS), ascending after `after_id`;
    fewer than `limit` only at the end."""
    return list(db.session.scalars(page_query(region_code, language, tier, after_id, limit)))


def page_query(region_code: str, language: str, tier: int, after_id: int, limit: int) -> Select[Any]:
    """The statement of :func:`page`: one range of push_device_region's key, each row looked up in the devices."""
    here = PushDeviceRegion
    return (select(here.device_id).join(PushDevice, PushDevice.id == here.device_id)
            .where(here.region_code == region_code, here.device_id > after_id, PushDevice.language == language,
                   PushDevice.lowest_tier <= tier)
            .order_by(here.device_id).limit(limit))


def count_in(region_codes: Iterable[str], tier: int) -> int:
    """Devices in the regions, with everything below them, that want a bulletin of `tier`; each is counted once."""
    places = lookup.communities_under(lookup.topmost(region_codes))
    if not places:
        return 0
    inside = select(PushDeviceRegion.device_id).where(PushDeviceRegion.region_code.in_(places)).distinct().subquery()
    return db.session.execute(select(func.count()).select_from(inside).join(PushDevice, PushDevice.id == inside.c.device_id)
                              .where(PushDevice.lowest_tier <= tier)).scalar_one()


def is_place(code: Any) -> bool:
    """Whether somebody may want to hear about this: a community that we know."""
    return isinstance(code, str) and codes.is_code(code) and codes.level_of(code) == "community" and lookup.get(code) is not None


def _bounded(session: Session, source: bytes) -> None:
    recent = session.scalar(select(func.count()).where(PushDevice.source_hash == source, PushDevice.created_at > utcnow() - DAY))
    if (recent or 0) >= current_settings().push_new_per_address:
        raise TooMany


def _place(session: Session, device: int, region_codes: Sequence[str]) -> None:
    session.execute(delete(PushDeviceRegion).where(PushDeviceRegion.device_id == device))
    session.execute(insert(PushDeviceRegion), [{"region_code": code, "device_id": device} for code in region_codes])


def _remove(session: Session, condition: Any) -> int:
    return len(session.scalars(delete(PushDevice).where(condition).returning(PushDevice.id)).all())  # its regions go with it


def _digest(url: str) -> bytes:
    return hashlib.sha256(url.encode("utf-8", "surrogatepass")).digest()


def _source(came_from: str) -> bytes:
    key = secrets.phone_key(current_settings())
    return hmac.new(key, b"push source\0" + came_from.encode(), hashlib.sha256).digest()[:16]


def _seal() -> TextSeal:
    if "push_seal" not in current_app.extensions:
        current_app.extensions["push_seal"] = TextSeal(secrets.phone_key(current_settings()), "push device")
    return current_app.extensions["push_seal"]


def _seat(digest: bytes) -> str:
    return f"push_device.{bytes(digest).hex()}"


def _sealed(subscription: Subscription, digest: bytes) -> bytes:
    keys = subscription.keys
    return _seal().seal_bytes(keys.public + keys.auth + subscription.address.url.encode(), _seat(digest))


def _chunks(many: Iterable[Any]) -> Iterator[list[Any]]:
    stream = iter(many)
    while chunk := list(islice(stream, CHUNK)):
        yield chunk
