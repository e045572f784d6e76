"""Credentials: what a certificate says, as Open Badges 3.0 (1EdTech, final) over the Verifiable Credentials Data Model 2.0.

The proof is the JSON Web Token format of section 8.2: the payload is the credential itself with the claims iss, jti, nbf, sub,
exp beside it. The name stands in it as a salted hash (IdentityObject): whoever knows the name can compare, and a badge that is
shown in public tells nobody who its holder is.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from portal.training.certificates import serial as serials
from portal.training.content.values import Course

CONTEXT = ("https://www.w3.org/ns/credentials/v2", "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json")
TYPES = ("VerifiableCredential", "OpenBadgeCredential")
SCHEMA = {"id": "https://purl.imsglobal.org/spec/ob/v3p0/schema/json/ob_v3p0_achievementcredential_schema.json",
          "type": "1EdTechJsonSchemaValidator2019"}
STATUS = "BitstringStatusListEntry"
_HASHED, _BETWEEN = "sha256$", " / "


class NotACredential(ValueError):
    """It is signed, and is no certificate of ours all the same."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where things of this site are, from its public address."""

    base: str

    @property
    def issuer(self) -> str:
        return f"{self.base}/.well-known/issuer.json"

    @property
    def jwks(self) -> str:
        return f"{self.base}/.well-known/jwks.json"

    def key(self, thumbprint: str) -> str:
        return f"{self.base}/.well-known/keys/{thumbprint}.json"

    def certificate(self, serial: str) -> str:
        return f"{self.base}/v/{serial}"

    def course(self, slug: str) -> str:
        return f"{self.base}/zh/courses/{slug}/"

    def status(self, number: int) -> str:
        return f"{self.base}/credentials/status/{number}"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is granted. `subject` is a name for the holder that says nothing; `salt` 32 hexadecimal digits."""

    serial: str
    subject: str
    name: str
    salt: str
    issued_at: datetime
    valid_until: datetime | None
    status_index: int


@dataclass(frozen=True, slots=True)
class Presented:
    """What a credential says, once its signature holds. `title`: the course's by language. `status_list` and `status_index`:
    where it stands in which list of revocations. `hashed` and `salt`: of the name."""

    serial: str
    issuer: str
    slug: str
    title: Mapping[str, str]
    issued_at: datetime
    valid_until: datetime | None
    status_list: str
    status_index: int
    hashed: str
    salt: str

    def has_name(self, name: str) -> bool:
        """Whether it was granted to somebody of this name."""
        return hmac.compare_digest(self.hashed, hash_of(name, self.salt))


def build(facts: Facts, course: Course, authority: Mapping[str, str], at: Addresses, list_size: int) -> dict[str, Any]:
    """The payload that is signed."""
    number, index = divmod(facts.status_index, list_size)
    status, address = at.status(number), at.certificate(facts.serial)
    title = f"{course.title['zh']}{_BETWEEN}{course.title['en']}"
    claims: dict[str, Any] = {"iss": at.issuer, "jti": address, "nbf": _seconds(facts.issued_at), "sub": facts.subject}
    if facts.valid_until is not None:
        claims["exp"] = _seconds(facts.valid_until)
    return {
        "@context": list(CONTEXT), "id": address, "type": list(TYPES), "name": title,
        "issuer": profile(authority, at),
        "validFrom": _written(facts.issued_at),
        **({"validUntil": _written(facts.valid_until)} if facts.valid_until is not None else {}),
        "credentialSubject": {
            "id": facts.subject, "type": ["AchievementSubject"],
            "identifier": [{"type": "IdentityObject", "hashed": True, "identityHash": hash_of(facts.name, facts.salt),
                            "identityType": "name", "salt": facts.salt}],
            "achievement": _achievement(course, title, at)},
        "credentialStatus": {"id": f"{status}#{index}", "type": STATUS, "statusPurpose": "revocation",
                             "statusListIndex": str(index), "statusListCredential": status},
        "credentialSchema": [dict(SCHEMA)],
        **claims,
    }


def profile(authority: Mapping[str, str], at: Addresses) -> dict[str, Any]:
    """Who grants certificates."""
    return {"id": at.issuer, "type": ["Profile"], "name": f"{authority['zh']} {authority['en']}", "url": f"{at.base}/"}


def _achievement(course: Course, title: str, at: Addresses) -> dict[str, Any]:
    skills = "、".join(one.title["zh"] for one in course.checklists), ", ".join(one.title["en"] for one in course.checklists)
    zh = f"理论考试成绩达到 {course.pass_mark}%" + (f"；实操项目全部合格：{skills[0]}" if skills[0] else "") + "。"
    en = f"Theory exam passed with at least {course.pass_mark}%" + (f"; all practical skills passed: {skills[1]}" if skills[1]
                                                                     else "") + "."
    return {"id": at.course(course.id), "type": ["Achievement"], "achievementType": "Certification", "humanCode": course.id,
            "name": title, "description": f"{course.summary['zh']}\n{course.summary['en']}",
            "criteria": {"id": at.course(course.id), "narrative": f"{zh}\n{en}"}}


def read(payload: Mapping[str, Any]) -> Presented:
    """What a payload says whose signature holds. Raises NotACredential where a claim is missing, or two that must agree do not
    (Open Badges 3.0, 8.2.4.1)."""
    try:
        subject, issuer, status = payload["credentialSubject"], payload["issuer"], payload["credentialStatus"]
        [identity] = subject["identifier"]
        if payload["type"] != list(TYPES) or payload["@context"] != list(CONTEXT) or status["type"] != STATUS:
            raise NotACredential("another kind of credential")
        if (payload["iss"], payload["jti"], payload["sub"]) != (issuer["id"], payload["id"], subject["id"]):
            raise NotACredential("its claims contradict each other")
        issued, until = _moment(payload["validFrom"]), payload.get("validUntil")
        if _seconds(issued) != payload["nbf"] or ("exp" in payload) != (until is not None):
            raise NotACredential("its dates contradict each other")
        ends = _moment(until) if until is not None else None
        if ends is not None and _seconds(ends) != payload["exp"]:
            raise NotACredential("its dates contradict each other")
        achievement, serial = subject["achievement"], str(payload["jti"]).rpartition("/")[2]
        if not serials.is_whole(serial):
            raise NotACredential("it has no serial")
        zh, _space, en = str(achievement["name"]).partition(_BETWEEN)
        return Presented(serial, issuer["id"], achievement["humanCode"], {"zh": zh, "en": en or zh}, issued, ends,
                         str(status["statusListCredential"]), int(status["statusListIndex"]), str(identity["identityHash"]),
                         str(identity["salt"]))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise error if isinstance(error, NotACredential) else NotACredential("it is not whole") from error


def hash_of(name: str, salt: str) -> str:
    """As Open Badges write an identity hash: SHA-256 over the name (NFC) with the salt behind it."""
    return _HASHED + hashlib.sha256((unicodedata.normalize("NFC", name.strip()) + salt).encode()).hexdigest()


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
