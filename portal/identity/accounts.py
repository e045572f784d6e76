"""What an administrator may do to accounts. Every function is one transaction with its audit entry.

An administrator acts on the accounts whose duties all lie within the administrator's own regions and tiers,
never on the own one, and grants nothing wider than the own duty. `by=None` is the system itself: the
command line of somebody who owns the machine, and the demonstration. District-wide there is always one
active administrator.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import NamedTuple

from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal import current_settings
from portal.config import TIERS
from portal.core import audit
from portal.core.audit import SYSTEM, Actor
from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.core.errors import Conflict, Forbidden, Invalid, Problem
from portal.identity import passwords, sessions
from portal.identity.models import Account, Duty
from portal.identity.rights import ADMINISTRATOR, ROLES, has_role, may, require
from portal.identity.sign_in import canonical
from portal.regions import codes, lookup


class Grant(NamedTuple):
    """A duty to be given: role × region with everything below × highest tier."""

    role: str
    region_code: str
    highest_tier: str


def create(
    by: Account | None,
    username: str,
    display_name: str,
    password: str,
    grants: Iterable[Grant],
    *,
    must_change_password: bool = True,
    demonstration: bool = False,
) -> Account:
    """A new account with its duties. Raises Invalid (`username`, `display_name`, `password`, `role`,
    `region_code`, `highest_tier`) and Forbidden for a duty beyond the administrator's own."""
    name, shown, wanted = canonical(username), " ".join(display_name.split()), list(dict.fromkeys(grants))
    problems = _name_problems(name, shown)
    if not demonstration:
        problems += passwords.weaknesses(password, name, shown)
    if not wanted:
        problems.append(Problem("role", _("Give the account at least one duty.")))
    problems += [p for g in wanted for p in _grant_problems(g, must_exist=by is not None)]
    if problems:
        raise Invalid(problems)
    stored = passwords.hashed(password)
    taken = Invalid.one("username", _("This user name is taken. Choose another one."))
    try:
        with transaction() as session:
            by = _acting(session, by, wanted)
            if session.scalar(select(Account.id).where(Account.username == name)) is not None:
                raise taken
            account = Account(
                username=name,
                display_name=shown,
                password=stored,
                fs_uniquifier=uuid.uuid4().hex,
                must_change_password=must_change_password,
                demonstration=demonstration,
                active=True,
                failed_attempts=0,
                created_at=utcnow(),
                duties=[Duty(**g._asdict()) for g in wanted],
            )
            session.add(account)
            session.flush()
            audit.append(
                session,
                _actor(by),
                "identity.create",
                _subject(account),
                {
                    "username": name,
                    "display_name": shown,
                    "demonstration": demonstration,
                    "duties": [g._asdict() for g in wanted],
                },
            )
            return account
    except IntegrityError as error:
        raise taken from error


def add_duty(by: Account | None, account_id: uuid.UUID, grant: Grant) -> Account:
    """Give a duty; one that is there already with the same role and region is raised or lowered to the tier.
    Ends the account's sessions, so that what is on its screens is drawn anew."""
    if problems := _grant_problems(grant, must_exist=by is not None):
        raise Invalid(problems)
    with transaction() as session:
        by = _acting(session, by, [grant])
        account = _subjected(session, by, account_id)
        same = [d for d in account.duties if (d.role, d.region_code) == (grant.role, grant.region_code)]
        if any(d.highest_tier == grant.highest_tier for d in same):
            raise Invalid.one("role", _("The account has this duty already."))
        if same:
            same[0].highest_tier = grant.highest_tier
        else:
            account.duties.append(Duty(**grant._asdict()))
        sessions.end_all(session, account)
        audit.append(session, _actor(by), "identity.duty_add", _subject(account), grant._asdict())
        return account


def remove_duty(by: Account | None, account_id: uuid.UUID, duty_id: uuid.UUID) -> Account:
    """Take a duty away and end the account's sessions. Raises Conflict when it is gone, or is the last
    one."""
    with transaction() as session:
        by = _acting(session, by, [])
        account = _subjected(session, by, account_id)
        duty = next((d for d in account.duties if d.id == duty_id), None)
        if duty is None:
            raise Conflict(_("This duty was removed already."))
        if len(account.duties) == 1:
            raise Conflict(
                _("This is the account's only duty. Give it another one first, or deactivate the account.")
            )
        account.duties.remove(duty)
        session.flush()
        if _administers_all(duty):
            _keep_an_administrator(session)
        sessions.end_all(session, account)
        audit.append(
            session,
            _actor(by),
            "identity.duty_remove",
            _subject(account),
            {"role": duty.role, "region_code": duty.region_code, "highest_tier": duty.highest_tier},
        )
        return account


def deactivate(by: Account | None, account_id: uuid.UUID) -> Account:
    """Nobody signs in to the account any more, and whoever is signed in is out."""
    with transaction() as session:
        by = _acting(session, by, [])
        account = _subjected(session, by, account_id)
        if not account.active:
            raise Conflict(_("The account is deactivated already."))
        account.active = False
        session.flush()
        if any(_administers_all(duty) for duty in account.duties):
            _keep_an_administrator(session)
        sessions.end_all(session, account)
        audit.append(session, _actor(by), "identity.deactivate", _subject(account))
        return account


def reactivate(by: Account | None, account_id: uuid.UUID) -> Account:
    with transaction() as session:
        by = _acting(session, by, [])
        account = _subjected(session, by, account_id)
        if account.active:
            raise Conflict(_("The account is active already."))
        account.active, account.failed_attempts, account.locked_until = True, 0, None
        audit.append(session, _actor(by), "identity.reactivate", _subject(account))
        return account


def unlock(by: Account | None, account_id: uuid.UUID) -> Account:
    """Open a lock before its time, and start counting attempts anew."""
    with transaction() as session:
        by = _acting(session, by, [])
        account = _subjected(session, by, account_id)
        account.failed_attempts, account.locked_until = 0, None
        audit.append(session, _actor(by), "identity.unlock", _subject(account))
        return account


def reset_password(by: Account | None, account_id: uuid.UUID, password: str) -> Account:
    """A temporary password that must be changed at the next sign-in. Ends the account's sessions and its
    lock."""
    stored = passwords.hashed(password)
    with transaction() as session:
        by = _acting(session, by, [])
        account = _subjected(session, by, account_id)
        if problems := passwords.weaknesses(password, account.username, account.display_name):
            raise Invalid(problems)
        account.password, account.must_change_password = stored, True
        account.demonstration = False  # its password is no longer the one that is printed for everybody
        account.failed_attempts, account.locked_until = 0, None
        sessions.end_all(session, account)
        audit.append(session, _actor(by), "identity.password_reset", _subject(account))
        return account


def within(by: Account, account: Account) -> bool:
    """Whether all duties of the account lie within the administrator's own. An account without duties
    belongs to the administrators of the whole district."""
    if not account.duties:
        return may(by, ADMINISTRATOR, [current_settings().district], TIERS[0])
    return all(may(by, ADMINISTRATOR, [d.region_code], d.highest_tier) for d in account.duties)


def beyond() -> str:
    """Why an administrator may not look at an account, or act on it."""
    return _("This account has duties beyond yours; an administrator of the larger region must act.")


def _subject(account: Account) -> str:
    return f"account:{account.id}"


def _actor(by: Account | None) -> Actor:
    return SYSTEM if by is None else by.actor


def _acting(session: Session, by: Account | None, grants: Iterable[Grant]) -> Account | None:
    """Who acts, after asking anew, under lock, whether they may: their own duty may have ended since the
    page.

    The administrators' rows are locked together and in one order, so that two of them who deactivate each
    other in the same moment cannot both succeed.
    """
    session.execute(
        select(Account.id)
        .where(Account.id.in_(select(Duty.account_id).where(Duty.role == ADMINISTRATOR)))
        .order_by(Account.id)
        .with_for_update()
    )
    if by is None:
        return None
    present = session.get(Account, by.id, with_for_update=True, populate_existing=True)
    if present is None or not has_role(present, ADMINISTRATOR):
        raise Forbidden(_("Your account has no duty that allows this."))
    for grant in grants:
        require(present, ADMINISTRATOR, [grant.region_code], grant.highest_tier)
    return present


def _subjected(session: Session, by: Account | None, account_id: uuid.UUID) -> Account:
    """The account that is acted on, locked, after asking whether the administrator may act on it."""
    account = session.get(Account, account_id, with_for_update=True, populate_existing=True)
    if account is None:
        raise Conflict(_("This account does not exist."))
    if by is None:
        return account
    if account.id == by.id:
        raise Forbidden(
            _("Somebody else must change your own account. Your password you change under “Password”.")
        )
    if not within(by, account):
        raise Forbidden(beyond())
    return account


def _administers_all(duty: Duty) -> bool:
    return duty.role == ADMINISTRATOR and codes.contains(duty.region_code, current_settings().district)


def _keep_an_administrator(session: Session) -> None:
    """Refuse when nobody would be left who administers the whole district."""
    settings = current_settings()
    statement = (
        select(Duty.region_code)
        .join(Account, Account.id == Duty.account_id)
        .where(Duty.role == ADMINISTRATOR, Account.active)
    )
    if not settings.demo:
        statement = statement.where(Account.demonstration.is_(False))
    if not any(codes.contains(region, settings.district) for region in session.scalars(statement)):
        raise Conflict(_("This is the last active administrator of the district. Make another one first."))


def _name_problems(name: str, shown: str) -> list[Problem]:
    problems = []
    if not 3 <= len(name) <= 64 or not all(c.isalnum() or c in "-_." for c in name):
        problems.append(
            Problem("username", _("A user name has 3 to 64 letters, digits, points, hyphens or underscores."))
        )
    if not 2 <= len(shown) <= 80 or not shown.isprintable():
        problems.append(Problem("display_name", _("Say in 2 to 80 characters which office this is.")))
    return problems


def _grant_problems(grant: Grant, *, must_exist: bool) -> list[Problem]:
    problems = []
    if grant.role not in ROLES:
        problems.append(Problem("role", _("Choose one of the roles.")))
    if grant.highest_tier not in TIERS:
        problems.append(Problem("highest_tier", _("Choose one of the tiers.")))
    if (
        not codes.is_code(grant.region_code)
        or not (codes.contains(current_settings().district, grant.region_code))
        or (must_exist and grant.region_code not in lookup.names([grant.region_code]))
    ):
        problems.append(Problem("region_code", _("Choose a region of this district.")))
    return problems
