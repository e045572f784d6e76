"""Taking a report: what was typed is checked, bounded, and kept once, however often it is sent."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal import current_settings
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction, uuid7
from portal.core.errors import Invalid, Problem
from portal.core.i18n import LANGUAGES
from portal.core.phones import parse
from portal.reports import codes, photo, place, seals
from portal.reports.kinds import KINDS
from portal.reports.models import DangerReport, ReportEvent, ReportPhoto
from portal.reports.photo import Photo

LONGEST = 1000
#: Reports that name one telephone, within a time. It was typed and not proved, so that this keeps nobody from reporting without.
PHONE_MOST = ((5, timedelta(hours=1)), (20, timedelta(days=1)))
#: Nobody fills in the form faster; and nobody describes a danger with so many addresses of web pages.
QUICKEST_SECONDS, MANY_LINKS = 4, 2
#: How long a report may have waited on a phone without a network.
OLDEST = timedelta(days=7)


class Full(Invalid):
    """More than is taken in an hour: what was typed is right, and may be sent again later."""


@dataclass(frozen=True)
class Typed:
    """The form as it came. `point` is ``lon,lat``; `trap` is a field that people do not see; `seconds`: how long the form was
    open, None where that is not known; `observed_at`: when it was written, in ISO 8601, empty for now."""

    ref: str = ""
    kind: str = ""
    words: str = ""
    point: str = ""
    community: str = ""
    place: str = ""
    phone: str = ""
    trap: str = ""
    seconds: float | None = None
    observed_at: str = ""
    language: str = "zh"

    @classmethod
    def of(cls, form: Mapping[str, str], language: str, seconds: float | None) -> Typed:
        cut = {"ref": 36, "kind": 20, "words": 4 * LONGEST, "point": 60, "community": 60, "place": 400, "phone": 40,
               "observed_at": 40}
        return cls(**{name: form.get(name, "")[:most] for name, most in cut.items()}, trap=form.get("website", "")[:1],
                   seconds=seconds, language=language if language in LANGUAGES else LANGUAGES[0])


@dataclass(frozen=True)
class Taken:
    """`again`: it had come before. `without`: photos that were left out because no more can be kept."""

    report: DangerReport
    code: str
    again: bool = False
    without: int = 0


@dataclass
class _Checked:
    ref: uuid.UUID
    place: place.Place
    words: str
    phone: str
    observed_at: datetime
    doubtful: bool
    photos: list[Photo] = field(default_factory=list)


def take(typed: Typed, files: Sequence[bytes] = ()) -> Taken:
    """Take one report with its photos. The same `ref` again gives the same report and code. Raises Invalid by field (with
    everything that is wrong), place.Doubt, Full."""
    now = utcnow()
    if (known := _known(typed.ref)) is not None:
        if _is_same(known.report, typed):
            return known
        # Somebody went back in the browser and wrote another report into the form of the first.
        typed = replace(typed, ref=str(codes.next_ref(uuid.UUID(typed.ref), typed.kind, _tidy(typed.words))))
        if (known := _known(typed.ref)) is not None:
            return known
    checked = _check(typed, now)
    _refuse_more(checked.phone, now)  # before photos cost anything; asked once more where it is written
    room = max(0, current_settings().report_photos - _photos_kept()) if files else 0
    db.session.rollback()  # photos may take long, and nobody must wait for this connection meanwhile
    checked.photos = _made(files[:room])
    try:
        with transaction() as session:
            audit.serialise(session)  # numbers are given one after the other, and limits counted so
            _refuse_more(checked.phone, now)
            report = _write(session, typed, checked, now)
    except IntegrityError:  # it was sent twice in the same moment
        if (known := _known(typed.ref)) is None:
            raise
        return known
    return Taken(report, codes.of_ref(checked.ref), without=len(files) - len(checked.photos))


def _known(ref: str) -> Taken | None:
    """What came before under this ref."""
    parsed = _ref(ref)
    if parsed is None:
        return None
    found = db.session.scalar(select(DangerReport).where(DangerReport.ref_hash == codes.ref_hash(parsed)))
    return Taken(found, codes.of_ref(parsed), again=True) if found else None


def _is_same(report: DangerReport, typed: Typed) -> bool:
    return report.erased_at is not None or (report.kind, seals.words_of(report)) == (typed.kind, _tidy(typed.words))


def _ref(text: str) -> uuid.UUID | None:
    try:
        parsed = uuid.UUID(text)
    except ValueError:
        return None
    return parsed if parsed.version == 4 else None


# -- checking ------------------------------------------------------------------------------------------------
def _check(typed: Typed, now: datetime) -> _Checked:
    problems: list[Problem] = []
    ref = _ref(typed.ref)
    if ref is None:
        problems.append(Problem("", _l("The form is incomplete. Load the page again, and send it once more.")))
    if typed.kind not in KINDS:
        problems.append(Problem("kind", _l("Choose what it is; “something else” if nothing fits.")))
    words = _tidy(typed.words)
    if len(words) < 4:
        problems.append(Problem("words", _l("Write in a few words what you see.")))
    elif len(words) > LONGEST:
        problems.append(Problem("words", _l("This is longer than %(most)s signs: shorten it.", most=LONGEST)))
    where, phone, doubt = None, "", None
    try:
        where = place.read(typed.point, typed.community, typed.place)
    except place.Doubt as error:
        doubt = error
    except Invalid as error:
        problems += error.problems
    if typed.phone.strip():
        try:
            phone = parse(typed.phone.strip())
        except ValueError:
            problems.append(Problem("phone", _l("This cannot be a phone number. Write it as 13800000000, or leave it empty.")))
    if doubt is not None:
        doubt.problems += problems
        raise doubt
    if problems or ref is None or where is None:
        raise Invalid(problems)
    return _Checked(ref, where, words, phone, _moment(typed.observed_at, now), _is_doubtful(typed, words))


def _tidy(text: str) -> str:
    lines = [" ".join(line.split()) for line in text.replace("\r\n", "\n").strip().split("\n")]
    kept = "\n".join(line for n, line in enumerate(lines) if line or lines[n - 1])
    return "".join(c for c in kept if c == "\n" or c.isprintable())


def _is_doubtful(typed: Typed, words: str) -> bool:
    """Whether a machine may have filled it in. It is taken all the same, and staff see it last: a browser that fills in forms by
    itself must not cost a report."""
    too_quick = typed.seconds is not None and typed.seconds < QUICKEST_SECONDS
    return bool(typed.trap) or too_quick or words.lower().count("http") >= MANY_LINKS


def _moment(text: str, now: datetime) -> datetime:
    """When it was written, as far as a phone's clock can be believed."""
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.astimezone(UTC) if moment.tzinfo else now
    except (ValueError, OverflowError):
        return now
    return min(max(moment, now - OLDEST), now)


def _made(files: Sequence[bytes]) -> list[Photo]:
    if len(files) > photo.MOST:
        raise Invalid.one("photos", _l("At most %(most)s photos can be sent with one report.", most=photo.MOST))
    return [photo.make(body) for body in files]


# -- bounds --------------------------------------------------------------------------------------------------
def _refuse_more(phone: str, now: datetime) -> None:
    """Raises Full where everybody together, or this telephone, has sent too many."""
    most = current_settings().reports_per_hour
    latest = select(DangerReport.id).where(DangerReport.received_at > now - timedelta(hours=1),
                                           DangerReport.phone_proved_at.is_(None)).limit(most)
    if (db.session.scalar(select(func.count()).select_from(latest.subquery())) or 0) >= most:
        raise Full.one("", _l("More reports are coming in at the moment than can be read. Send it again in an hour; if somebody"
                              " is in danger, call 119 or 110 now."))
    if not phone:
        return
    index = seals.book().index(phone)
    for number, time in PHONE_MOST:
        mine = select(func.count()).where(DangerReport.phone_index == index, DangerReport.received_at > now - time)
        if (db.session.scalar(mine) or 0) >= number:
            raise Full.one("phone", _l("Many reports came with this telephone already. Leave the number out, or wait an hour."))


def _photos_kept() -> int:
    return db.session.scalar(select(func.count()).select_from(ReportPhoto)) or 0


# -- writing -------------------------------------------------------------------------------------------------
def _write(session: Session, typed: Typed, checked: _Checked, now: datetime) -> DangerReport:
    report_id, where = uuid7(), checked.place
    report = DangerReport(
        id=report_id, number=(session.scalar(select(func.max(DangerReport.number))) or 0) + 1,
        ref_hash=codes.ref_hash(checked.ref), code_hash=codes.code_hash(codes.of_ref(checked.ref)), kind=typed.kind,
        words_sealed=seals.words(report_id, checked.words), place_sealed=seals.place(report_id, where.words),
        region_code=where.region_code, longitude=where.longitude, latitude=where.latitude, language=typed.language,
        phone_sealed=seals.book().seal(checked.phone) if checked.phone else None,
        phone_index=seals.book().index(checked.phone) if checked.phone else None, doubtful=checked.doubtful,
        photos=len(checked.photos), observed_at=checked.observed_at, received_at=now, state_at=now)
    session.add(report)
    session.flush()
    for position, made in enumerate(checked.photos):
        session.add(ReportPhoto(
            report_id=report_id, position=position, width=made.width, height=made.height,
            body_sealed=seals.photo(report_id, position, made.body, small=False),
            small_sealed=seals.photo(report_id, position, made.small, small=True)))
    session.add(ReportEvent(report_id=report_id, kind="received", at=now))
    audit.append(session, audit.SYSTEM, "report.receive", f"report:{report.number}", {
        "danger": report.kind, "region": report.region_code, "photos": report.photos, "doubtful": report.doubtful})
    return report
