"""Notifications on devices as a channel: what a device is told of a bulletin, and the hand-over to its push service."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portal.channels.push import provider as push
from portal.channels.push import store
from portal.channels.push.encryption import LONGEST
from portal.core.db import db
from portal.dispatch import tallies
from portal.dispatch.channels import Later
from portal.dispatch.lease import Ended, Lease
from portal.subscribers.matter import LOUD
from portal.warnings.models import Bulletin

#: Of the payload; a service worker from before shows `title` and `body` of any version.
VERSION = 1
#: Longest words in characters: what does not fit on a locked screen is read on the page.
LONGEST_BODY = 600


@dataclass
class PushChannel:
    """Devices whose browsers asked for notifications. A push service that took a message does not say whether it was shown."""

    provider: push.Provider

    def deliver(
        self, lease: Lease, bulletin: Bulletin, *, report: Callable[[Ended | Later], None], halted: Callable[[], bool]
    ) -> None:
        ids = lease.pending.tolist()
        devices = store.load(ids)  # only those that still want it
        db.session.rollback()  # nothing is held open while push services work
        for device in ids:
            if device not in devices:
                report(Ended(device, tallies.OPTED_OUT))
        gone: list[str] = []

        def on_result(result: push.Result) -> None:
            if result.status == push.RETRY:
                report(Later(result.code, result.retry_after, result.ref if result.unsure else None))
            elif result.status == push.GONE:
                gone.append(devices[result.ref][0])
                report(Ended(result.ref, tallies.OPTED_OUT, "gone"))
            else:
                report(Ended(result.ref, result.status, result.code))

        try:
            self.provider.send(
                payload(bulletin, lease.language),
                [push.Note(i, *devices[i]) for i in ids if i in devices],
                expires_at=lease.expires_at,
                urgent=bulletin.tier in LOUD and not bulletin.exercise,
                topic=bulletin.warning_id.hex,
                on_result=on_result,
                halted=halted,
            )
        finally:
            if gone:
                store.drop_many(gone)


def payload(bulletin: Bulletin, language: str) -> bytes:
    """JSON for the service worker: the words as they were approved, the first of them where they are long, what it is about, and
    until when it may be shown. An update and an all-clear take the place of what the warning showed before: the same `id`, a
    greater `n`."""
    words = bulletin.snapshot["words"]
    own = words.get(language) or words["zh"]
    told: dict[str, Any] = {
        "v": VERSION,
        "id": bulletin.warning_id.hex,
        "n": bulletin.position,
        "kind": bulletin.kind,
        "tier": bulletin.tier,
        "drill": bulletin.exercise,
        "lang": "zh-CN" if language == "zh" else language,
        "title": own["headline"] or own["description"][:100],
        "body": "",
        # A drill has no public page.
        "url": f"/{language}/" if bulletin.exercise else f"/{language}/warnings/{bulletin.warning_number}/",
        "sent": int(bulletin.sent_at.timestamp()),
        "end": int(bulletin.expires.timestamp()),
    }
    body = own["sms"] or own["description"]
    return _fitting(told, body)


def _fitting(told: dict[str, Any], body: str) -> bytes:
    """As much of the body as a push service takes, and no more than is read on a locked screen."""
    most = LONGEST_BODY
    while True:
        told["body"] = body if len(body) <= most else body[: most - 1] + "…"
        packed = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
        if len(packed) <= LONGEST or most < 20:
            return packed
        most -= 20
