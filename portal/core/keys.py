"""Secrets that nobody configured: made once, kept in the instance directory, readable by its owner only."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portal.config import Settings


def _kept(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(handle, "w") as file:
        value = secrets.token_hex(32)
        file.write(value + "\n")
        file.flush()
        os.fsync(file.fileno())
    return value


def secret_key(settings: Settings) -> str:
    return settings.secret_key.get_secret_value() or _kept(settings.instance / "secret_key")


def speaker_key(settings: Settings) -> Ed25519PrivateKey:
    """The key that signs what horns are told. Raises ValueError when it is not 64 hexadecimal digits."""
    text = settings.speaker_key.get_secret_value() or _kept(settings.instance / "speaker_key")
    try:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(text))
    except ValueError as error:
        raise ValueError("ANLAN_SPEAKER_KEY must be 64 hexadecimal digits") from error


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
