"""A word to whoever holds a certificate that ends soon: once, by SMS, with the way to renew it."""

from __future__ import annotations

import uuid
from datetime import timedelta

from flask import Flask
from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import current_settings
from portal.channels.sms import notices
from portal.core.clock import local, utcnow
from portal.core.db import db, transaction
from portal.subscribers import store as subscribers
from portal.training import courses_store
from portal.training.certificate_models import Certificate
from portal.training.certificates import renewal
from portal.training.certificates.sheet import en_day, zh_day
from portal.training.models import Learner

#: Certificates of one run: the next one comes soon.
MOST = 400


def queue_due(app: Flask) -> int:
    """Queue the reminders that are due; how many. One query along the index of ends looks for them. Who asked for no more texts
    gets none, who has a newer certificate needs none, and whose renewal was taken back can renew nothing: all are looked at once.
    Harmless in two processes."""
    with app.app_context():
        days, now = current_settings().certificate_reminder_days, utcnow()
        if not days:
            return 0
        due = select(Certificate.id).where(
            Certificate.revoked_at.is_(None), Certificate.valid_until.between(now, now + timedelta(days=days)),
            Certificate.reminded_at.is_(None), Certificate.learner_id.is_not(None))
        ids = db.session.execute(due.order_by(Certificate.valid_until, Certificate.id).limit(MOST)).scalars().all()
        db.session.commit()
        return sum(_remind(certificate_id) for certificate_id in ids)


def _remind(certificate_id: uuid.UUID) -> bool:
    with transaction() as session:
        row = session.execute(select(Certificate).where(Certificate.id == certificate_id).with_for_update()).scalar_one_or_none()
        if row is None or row.reminded_at is not None or row.revoked_at is not None or row.valid_until is None:
            return False
        row.reminded_at = utcnow()
        learner = session.get(Learner, row.learner_id) if row.learner_id is not None else None
        held = renewal.held(learner.id, row.slug) if learner is not None else None
        if learner is None or held is None or held.id != row.id or renewal.taken_back(row):
            return False
        if subscribers.stopped([learner.phone_index]):
            return False
        return _queue(session, row, learner)


def _queue(session: Session, row: Certificate, learner: Learner) -> bool:
    loaded, until = courses_store.current(row.slug), row.valid_until
    if loaded is None or until is None:
        return False
    settings, title = current_settings(), loaded[1].title[learner.language]
    day = local(until, settings.timezone).date()
    with force_locale(learner.language):
        body = _("Your certificate “%(course)s” ends on %(day)s. Renew it early and lose no day: %(address)s", course=title,
                 day=zh_day(day) if learner.language == "zh" else en_day(day),
                 address=f"{settings.base_url}/learn/certificates/")
    return notices.queue(session, f"certificate.{row.id}.ends", learner.phone_sealed, body, until)
