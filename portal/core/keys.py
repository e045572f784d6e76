"""Secrets that nobody configured: made once, kept in the instance directory, readable by its owner only."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portal.config import Settings


def _kept(path: Path) -> str:
    """The secret in the file, which is made where there is none."""
    if not path.exists():
        appear(path, secrets.token_hex(32) + "\n")
    value = path.read_text().strip()
    if not value:
        raise ValueError(f"{path} is empty: put the secret back from its copy; deleting it makes a new one, and what the"
                         " old one sealed or signed cannot be read or verified any more")
    return value


def appear(path: Path, text: str) -> bool:
    """Make a file with a secret. It appears with its content or not at all, so that of several processes that start at the
    same moment none reads another's half-written one. False when another process was quicker: its secret counts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(scratch, path)
    except FileExistsError:
        return False
    finally:
        scratch.unlink()
    return True


def base64url(body: bytes) -> str:
    """RFC 7515's base64url, without padding."""
    return base64.urlsafe_b64encode(body).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """The reverse. Raises ValueError."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def private(path: Path) -> None:
    """Make the file, empty, readable by its owner only, where it is not there yet."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def secret_key(settings: Settings) -> str:
    return settings.secret_key.get_secret_value() or _kept(settings.instance / "secret_key")


def speaker_key(settings: Settings) -> Ed25519PrivateKey:
    """The key that signs what horns are told. Raises ValueError when it is not 64 hexadecimal digits."""
    text = settings.speaker_key.get_secret_value() or _kept(settings.instance / "speaker_key")
    try:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(text))
    except ValueError as error:
        raise ValueError("ANLAN_SPEAKER_KEY must be 64 hexadecimal digits") from error


def push_key(settings: Settings) -> ec.EllipticCurvePrivateKey:
    """The key on P-256 by which push services know us (RFC 8292). Raises ValueError when it is none."""
    text = settings.push_key.get_secret_value() or _kept(settings.instance / "push_key")
    try:
        return ec.derive_private_key(int(text, 16), ec.SECP256R1())
    except ValueError as error:
        raise ValueError("ANLAN_PUSH_KEY must be 64 hexadecimal digits, a private key on the curve P-256") from error


def phone_key(settings: Settings) -> bytes:
    """32 bytes. Raises ValueError when the configured key is not 64 hexadecimal digits."""
    text = settings.phone_key.get_secret_value() or _kept(settings.instance / "phone_key")
    try:
        key = bytes.fromhex(text)
    except ValueError as error:
        raise ValueError("ANLAN_PHONE_KEY must be 64 hexadecimal digits") from error
    if len(key) != 32:
        raise ValueError("ANLAN_PHONE_KEY must be 64 hexadecimal digits")
    return key
