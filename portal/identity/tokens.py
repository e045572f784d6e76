"""Bearer tokens: another system acts for an account, in one role, in one region, until a day that is set when it is made.

A token is 32 random bytes; the database holds only its SHA-256, which cannot be turned back and needs no salt against
guessing at that length. It opens no page of the desk. It stops working when it is revoked, when it expires, when its account
is deactivated, and when the account loses the duty that the token was made of.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from datetime import datetime, timedelta

from flask_babel import lazy_gettext as _l
from sqlalchemy import select, update

from portal.config import TIERS
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Forbidden, Invalid
from portal.identity.models import Account, ApiToken, Duty
from portal.identity.rights import ROLES, may_in
from portal.identity.sign_in import canonical

PREFIX = "anlan_"
SHORTEST, LONGEST, USUAL = 1, 3 * 366, 366  # days
#: Living tokens of one account; more are a mistake of a script.
MOST = 50
#: Use is written down at most this often, so that reading costs no write each.
_USED_EVERY = timedelta(hours=1)
#: Longer than any token: what is longer is not even hashed.
_LONGEST_TEXT = 200


class Refused(Exception):
    """The token opens nothing; `message` (lazy) says why, as far as its holder may know."""

    def __init__(self, message: object) -> None:
        self.message = message
        super().__init__(str(message))


def create(username: str, name: str, role: str, region_code: str, days: int = USUAL) -> tuple[ApiToken, str]:
    """A new token for a duty that the account has: its row, and the token itself, which nobody can read again.
    Raises Invalid, Conflict (no such account), Forbidden (no such duty)."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= 80:
        raise Invalid.one("name", _l("Say which system the token is for, in at most 80 characters."))
    if not SHORTEST <= days <= LONGEST:
        raise Invalid.one("days", _l("A token lasts between %(least)s and %(most)s days.", least=SHORTEST, most=LONGEST))
    if role not in ROLES:
        raise Invalid.one("role", _l("There is no such role."))
    plain, now = PREFIX + secrets.token_urlsafe(32), utcnow()
    with transaction() as session:
        account = session.scalar(select(Account).where(Account.username == canonical(username)))
        if account is None:
            raise Conflict(_l("There is no account with this user name."))
        if not may_in(account, role, [region_code]):
            raise Forbidden(_l("The account has no such duty: a token can do no more than its account."))
        living = select(ApiToken.id).where(ApiToken.account_id == account.id, ApiToken.revoked_at.is_(None),
                                           ApiToken.expires_at > now)
        if len(session.scalars(living.limit(MOST)).all()) >= MOST:
            raise Conflict(_l("The account already has %(n)s tokens: revoke those that are not used.", n=MOST))
        row = ApiToken(account_id=account.id, name=name, role=role, region_code=region_code, token_hash=_hash(plain),
                       created_at=now, expires_at=now + timedelta(days=days))
        session.add(row)
        session.flush()
        audit.append(session, audit.SYSTEM, "token.create", f"token:{row.id}", {
            "username": account.username, "name": name, "role": role, "region_code": region_code,
            "expires": row.expires_at.isoformat()})
    return row, plain


def revoke(token_id: uuid.UUID) -> ApiToken:
    """It opens nothing from now on. Revoking twice changes nothing. Raises Conflict when there is none."""
    with transaction() as session:
        row = session.get(ApiToken, token_id)
        if row is None:
            raise Conflict(_l("There is no such token."))
        if row.revoked_at is None:
            row.revoked_at = utcnow()
            audit.append(session, audit.SYSTEM, "token.revoke", f"token:{row.id}", {"name": row.name, "role": row.role})
    return row


def listing(limit: int = 500) -> list[tuple[ApiToken, str]]:
    """Tokens, newest first, each with the user name of its account."""
    rows = db.session.execute(select(ApiToken, Account.username).join(Account, Account.id == ApiToken.account_id)
                              .order_by(ApiToken.id.desc()).limit(limit))
    return [(token, username) for token, username in rows]


def state_of(row: ApiToken, now: datetime) -> str:
    """`active`, `expired` or `revoked`."""
    return "revoked" if row.revoked_at else "expired" if row.expires_at <= now else "active"


def holder(plain: str) -> Account:
    """The account as the token lets it act: with that one duty and no other. The object is no row of the database.
    Raises Refused."""
    now = utcnow()
    row = None
    if plain.startswith(PREFIX) and len(plain) <= _LONGEST_TEXT:
        row = db.session.scalar(select(ApiToken).where(ApiToken.token_hash == _hash(plain)))
    if row is None or row.revoked_at is not None:
        raise Refused(_l("This token is not known here, or was revoked."))
    if row.expires_at <= now:
        raise Refused(_l("This token has expired: ask for a new one."))
    account = db.session.get(Account, row.account_id)
    if account is None or not account.active or not may_in(account, row.role, [row.region_code]):
        raise Refused(_l("The account of this token no longer has the duty."))
    if row.used_at is None or now - row.used_at > _USED_EVERY:
        with transaction() as session:
            session.execute(update(ApiToken).where(ApiToken.id == row.id).values(used_at=now))
    return Account(id=account.id, username=account.username, display_name=f"{account.display_name}（{row.name}）"[:120],
                   active=True, duties=[Duty(role=row.role, region_code=row.region_code, highest_tier=TIERS[0])])


def _hash(plain: str) -> str:
    return hashlib.sha256(plain.encode()).hexdigest()
