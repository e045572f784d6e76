"""The site's signature under credentials: RS256 over compact JWS, the one algorithm that every reader of Open Badges 3.0 knows.

The keys lie in one folder, numbered: the highest signs, and those before it stay to verify what they signed. A replaced key
leaves only its public half behind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from portal.config import Settings
from portal.core import keys

ALGORITHM = "RS256"
#: RSA keys of this size are held to be safe beyond 2030 (NIST SP 800-57 part 1).
BITS = 3072
#: Characters of the longest token that is looked at.
LONGEST = 24_000
_NAME = re.compile(r"(\d{4})\.(pem|public\.pem)\Z")
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")
_REGISTRY = jws.JWSRegistry(algorithms=[ALGORITHM])


class BadSignature(ValueError):
    """It is no token, or none that one of these keys has signed."""


class UnknownKey(BadSignature):
    """It says that a key has signed it which is not among those that are trusted."""


@dataclass(frozen=True)
class Key:
    """`thumbprint` (RFC 7638) names it; `private` where it can sign."""

    thumbprint: str
    rsa: RSAKey
    private: bool

    def public(self) -> dict[str, Any]:
        """As JWK, never with the private half."""
        return {key: value for key, value in self.rsa.as_dict(private=False).items() if key in ("kty", "n", "e")}


def known(settings: Settings) -> list[Key]:
    """All keys, the one that signs last. Makes the first one where there is none."""
    folder = settings.certificate_keys_folder
    if not _files(folder):
        keys.appear(folder / "0001.pem", _new_pem())
    return [_load(path, path.stat().st_mtime_ns) for path in _files(folder)]


def any_there(settings: Settings) -> bool:
    """Whether there is a key already."""
    return bool(_files(settings.certificate_keys_folder))


def rotate(settings: Settings) -> Key:
    """Make a new key, which signs from now on. Of the one before, the public half stays. Raises FileExistsError when another
    process does the same."""
    folder, before = settings.certificate_keys_folder, known(settings)
    last = _files(folder)[-1]
    number = int(last.name[:4])
    if not keys.appear(folder / f"{number + 1:04}.pem", _new_pem()):
        raise FileExistsError(f"{number + 1:04}.pem")
    if before[-1].private:
        keys.appear(folder / f"{number:04}.public.pem", before[-1].rsa.as_pem(private=False).decode())
        last.unlink()
    return known(settings)[-1]


def sign(payload: Mapping[str, Any], key: Key, kid: str) -> str:
    """A compact JWS. `kid` is the address of the key as JWK."""
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    header = {"alg": ALGORITHM, "kid": kid, "typ": "JWT"}
    return jws.serialize_compact(header, body, key.rsa, algorithms=[ALGORITHM])


def verify(token: str, trusted: Mapping[str, RSAKey]) -> dict[str, Any]:
    """What the token says, when one of the `trusted` keys (thumbprint → key) signed it. The last part of its `kid` chooses the
    key; a key that the token brings along counts for nothing. Raises BadSignature."""
    if len(token) > LONGEST or not _TOKEN.fullmatch(token) or not _is_canonical(token):
        raise BadSignature("not a token")
    header = _json(token.split(".", 1)[0])
    if not isinstance(header, dict) or header.get("alg") != ALGORITHM or not isinstance(kid := header.get("kid"), str):
        raise BadSignature("not signed as credentials of this portal are")
    key = trusted.get(re.split(r"[/#]", kid.removesuffix(".json"))[-1])
    if key is None:
        raise UnknownKey("signed by a key that is not known here")
    try:
        jws.deserialize_compact(token, key, algorithms=[ALGORITHM], registry=_REGISTRY)
    except (JoseError, ValueError) as error:
        raise BadSignature("the signature does not fit: something was changed") from error
    payload = _json(token.split(".")[1])
    if not isinstance(payload, dict):
        raise BadSignature("it says nothing")
    return payload


def jwks(found: Sequence[Key], address: Any) -> dict[str, Any]:
    """The public keys as a JWK set. `address` makes the address of a key from its thumbprint."""
    return {"keys": [one.public() | {"kid": address(one.thumbprint), "alg": ALGORITHM, "use": "sig"} for one in found]}


def trusted_of(key_set: Any) -> dict[str, RSAKey]:
    """Thumbprint → key, of a JWK set as :func:`jwks` writes it. Raises ValueError where it is none."""
    try:
        imported = [RSAKey.import_key({k: one[k] for k in ("kty", "n", "e")}) for one in key_set["keys"]]
    except (JoseError, KeyError, TypeError, ValueError) as error:
        raise ValueError("this is no set of RSA keys") from error
    return {one.thumbprint(): one for one in imported}


def trusted(settings: Settings) -> dict[str, RSAKey]:
    """The site's own keys by thumbprint."""
    return {one.thumbprint: one.rsa for one in known(settings)}


def _files(folder: Path) -> list[Path]:
    """By number; of a key that was just replaced both halves may be there: the public one counts."""
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*.pem")) if folder.is_dir() else []:
        if match := _NAME.fullmatch(path.name):
            found[match[1]] = path
    return [found[number] for number in sorted(found)]


def _new_pem() -> str:
    return RSAKey.generate_key(BITS).as_pem(private=True).decode()


@lru_cache(maxsize=64)
def _load(path: Path, _changed: int) -> Key:
    try:
        rsa = RSAKey.import_key(path.read_text())
    except (JoseError, ValueError) as error:
        raise ValueError(f"{path} holds no RSA key: put it back from its copy") from error
    return Key(rsa.thumbprint(), rsa, rsa.is_private)


def _json(part: str) -> Any:
    try:
        return json.loads(keys.from_base64url(part))
    except (ValueError, RecursionError):
        return None


def _is_canonical(token: str) -> bool:
    """Each part is written in the one way in which base64url writes it, so that no two tokens are the same one."""
    try:
        return all(keys.base64url(keys.from_base64url(part)) == part for part in token.split("."))
    except ValueError:
        return False
