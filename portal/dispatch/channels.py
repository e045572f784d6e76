"""The channels, as dispatch drives them: each takes a leased batch and reports how every hand-over ended.

A channel turns ids into addresses and the bulletin into what its carrier takes; carriers know nothing of warnings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import select

from portal import current_settings
from portal.channels.speakers import bridge as horns
from portal.channels.speakers import registry
from portal.core.clock import utcnow
from portal.core.db import db
from portal.dispatch import outcomes, tallies
from portal.dispatch.lease import Ended, Lease
from portal.dispatch.models import SPEAKERS, Batch, Delivery, Dispatch, OutcomePage
from portal.warnings import bulletins
from portal.warnings.models import CANCEL, Bulletin


@dataclass(frozen=True, slots=True)
class Later:
    """A hand-over that did not come to an end; it is tried again. `error` is a word or code, `after` seconds, `unsure` the
    recipient where the carrier may have taken it although we did not hear so."""

    error: str
    after: float | None = None
    unsure: int | None = None


class Channel(Protocol):
    def deliver(
        self, lease: Lease, bulletin: Bulletin, *, report: Callable[[Ended | Later], None], halted: Callable[[], bool]
    ) -> None:
        """Hand the bulletin over to each pending recipient of the lease and report each once, from any thread."""


@dataclass
class SpeakerChannel:
    """Loudspeakers through the bridge that each one is registered with."""

    bridges: dict[str, horns.Bridge]

    def deliver(
        self, lease: Lease, bulletin: Bulletin, *, report: Callable[[Ended | Later], None], halted: Callable[[], bool]
    ) -> None:
        earlier = tuple(
            str(b.id) for b in bulletins.of_warning(db.session, bulletin.warning_id) if b.position < bulletin.position
        )
        groups: dict[tuple[str, str, str], list[horns.Device]] = {}
        speakers = {s.id: s for s in registry.load(lease.pending.tolist())}
        told = _told(bulletin, lease.pending.tolist()) if bulletin.kind == CANCEL else set(speakers)
        for known in speakers.values():
            db.session.expunge(known)
        db.session.rollback()  # nothing is held open while the horns answer
        for recipient in lease.pending.tolist():
            speaker = speakers.get(recipient)
            if speaker is None or not speaker.enabled:
                report(Ended(recipient, tallies.FAILED, "removed"))
            else:
                action = horns.START if recipient in told else horns.STOP
                groups.setdefault((speaker.bridge, speaker.language, action), []).append(
                    horns.Device(f"{lease.batch_id}/{recipient}", speaker.address)
                )
        for (bridge, language, action), devices in groups.items():
            if bridge not in self.bridges:
                for _device in devices:
                    report(Later("no bridge"))
                continue
            self.bridges[bridge].command(
                _command(bulletin, language, action, earlier),
                devices,
                halted=halted,
                on_result=lambda result: report(_ended(result)),
            )


def _ended(result: horns.Result) -> Ended | Later:
    if result.status == horns.RETRY:
        return Later(result.code, unsure=int(result.ref.rpartition("/")[2]) if result.unsure else None)
    return Ended(int(result.ref.rpartition("/")[2]), result.status, result.code)


def _told(bulletin: Bulletin, ids: list[int]) -> set[int]:
    """The horns that are known to have taken an earlier bulletin of the warning. One that may have been commanded while
    it was away is told to be silent, and no all-clear is heard where no warning was."""
    batches = db.session.scalars(
        select(Batch.id)
        .join(Dispatch, Dispatch.id == Batch.dispatch_id)
        .where(
            Dispatch.warning_id == bulletin.warning_id, Dispatch.channel == SPEAKERS, Dispatch.bulletin_id != bulletin.id
        )
    ).all()
    told = set(db.session.scalars(
        select(Delivery.recipient_id).where(Delivery.batch_id.in_(batches), Delivery.recipient_id.in_(ids))))
    for page in outcomes.pages(db.session, batches, OutcomePage.status == tallies.ACCEPTED):
        told.update(page.recipients.tolist())
    return told.intersection(ids)


def _command(bulletin: Bulletin, language: str, action: str, earlier: tuple[str, ...]) -> horns.Command:
    settings, now = current_settings(), utcnow()
    return horns.Command(
        id=str(bulletin.id),
        action=action,
        exercise=bulletin.exercise,
        tier=bulletin.tier,
        event_code=bulletin.hazard,
        language=language,
        text=bulletin.snapshot["words"][language]["speaker"] if action == horns.START else "",
        issued_at=now,
        start_at=min(bulletin.sent_at, now),  # at once, also where the clock was set back since it was sent
        expires_at=bulletin.expires,
        repeats=settings.speaker_repeats,
        volume=settings.speaker_volume,
        stops=earlier,
    )


@dataclass
class WebChannel:
    """The public pages and feeds: one publication for everybody."""

    publish: Callable[[], object]

    def deliver(
        self, lease: Lease, bulletin: Bulletin, *, report: Callable[[Ended | Later], None], halted: Callable[[], bool]
    ) -> None:
        try:
            self.publish()
        except OSError as error:  # a full or read-only disk: what was published stands, and it is tried again
            report(Later(f"publish: {error.strerror or type(error).__name__}"))
        else:
            report(Ended(0, tallies.ACCEPTED))
