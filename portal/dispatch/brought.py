"""What lines bring by themselves, without a call from outside: receipts are kept, texts of phones are acted on and answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from flask import Flask

from portal.channels.sms import inbound
from portal.channels.sms.lines.options import OnReceipts, OnText
from portal.channels.sms.provider import Inbound, Receipt
from portal.core.db import db
from portal.dispatch import receipts


class Ears(TypedDict):
    """For `lines.registry.make_lines`."""

    on_receipts: OnReceipts
    on_text: OnText
    app: Flask


def ears(app: Flask) -> Ears:
    """Who hears what this process's lines bring. Each is called in a thread of the line's own, and raises where it could not
    keep what it was told."""

    def on_receipts(line: str, brought: Sequence[Receipt]) -> None:
        with app.app_context():
            receipts.record_many(_row(line, receipt) for receipt in brought)

    def on_text(line: str, text: Inbound) -> str:
        with app.app_context():
            try:
                return inbound.receive(line, text)
            finally:
                db.session.rollback()

    return Ears(on_receipts=on_receipts, on_text=on_text, app=app)


def _row(line: str, receipt: Receipt) -> tuple[int, int, str, str, str, str]:
    """By our own reference, where the carrier has told it, else by the carrier's number."""
    batch, _slash, recipient = receipt.ref.partition("/")
    named = batch.isdigit() and recipient.isdigit()
    return (int(batch) if named else 0, int(recipient) if named else 0, receipt.status, receipt.code, line, receipt.carrier_id)
