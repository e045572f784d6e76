"""`anlan credentials …`: verifying without the portal, and the keys that sign."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

#: Exit codes of `verify`, worst first where several apply.
GENUINE, REVOKED, EXPIRED, NOT_GENUINE, NO_CREDENTIAL = 0, 3, 4, 1, 2


@click.group()
def credentials() -> None:
    """Certificates as signed credentials."""


@credentials.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--jwks", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Keys of the authority, as /.well-known/jwks.json gives them. Without it: the keys of this instance.")
@click.option("--status", "status_file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="List of revocations, as /credentials/status/0 gives it.")
@click.option("--name", help="Compare the holder's name.")
def verify(file: Path, jwks: Path | None, status_file: Path | None, name: str | None) -> None:
    """Verify the credential in FILE: the PDF, the badge, or the token itself. Needs no network and no database.

    Exit 0: genuine, and within its time. 1: not genuine, changed, or another name; also when the keys or the list that were
    given cannot be used, as a list that is older than a day. 2: FILE holds no credential. 3: revoked, by the list that was
    given. 4: expired.
    """
    from portal.core.clock import utcnow
    from portal.training.certificates import carriers, credential, signing

    try:
        if file.stat().st_size > carriers.LARGEST:
            raise carriers.NoCredential("too large")
        token = carriers.token_in(file.read_bytes())
    except carriers.NoCredential as error:
        _end(NO_CREDENTIAL, f"no credential in {file.name}: {error}")
    trusted = _trusted(jwks)
    try:
        said = credential.read(signing.verify(token, trusted))
    except signing.BadSignature as error:
        _end(NOT_GENUINE, f"not genuine: {error}")
    except credential.NotACredential as error:
        _end(NOT_GENUINE, f"signed, but no certificate: {error}")
    _tell(said)
    if name is not None and not said.has_name(name):
        _end(NOT_GENUINE, "the holder has another name")
    if status_file is not None and _is_revoked(said, status_file, trusted):
        _end(REVOKED, "revoked")
    now = utcnow()
    if said.issued_at > now:
        _end(NOT_GENUINE, "not yet valid")
    if said.valid_until is not None and said.valid_until < now:
        _end(EXPIRED, "expired")
    told = "" if status_file else "; whether it was revoked since, only the list of revocations or the portal can say"
    _end(GENUINE, f"genuine and within its time{told}")


@credentials.command()
def rotate() -> None:
    """Make a new key that signs from now on. What the old ones signed stays verifiable: their public halves are kept."""
    from portal import create_app
    from portal.config import load_settings
    from portal.core import audit
    from portal.core.db import transaction
    from portal.training.certificates import signing

    settings = load_settings()
    with create_app(settings).app_context():
        made = signing.rotate(settings)
        with transaction() as session:
            audit.append(session, audit.SYSTEM, "certificate.keys", f"file:{made.thumbprint}", {})
    click.echo(f"{made.thumbprint} signs from now on")
    click.echo(f"copy {settings.certificate_keys_folder} to every machine that serves the portal, and to a safe place")


@credentials.command()
def keys() -> None:
    """Print the public keys, as /.well-known/jwks.json gives them: what `verify --jwks` takes."""
    from portal.config import load_settings
    from portal.training.certificates import credential, signing

    settings = load_settings()
    at = credential.Addresses(settings.base_url)
    click.echo(json.dumps(signing.jwks(signing.known(settings), at.key), indent=1))


def _trusted(jwks: Path | None) -> Any:
    from portal.config import load_settings
    from portal.training.certificates import signing

    try:
        if jwks is None:
            settings = load_settings()
            if not signing.any_there(settings):  # who only looks makes no key
                raise ValueError(f"there are none in {settings.certificate_keys_folder}; give those of the authority with --jwks")
            return signing.trusted(settings)
        return signing.trusted_of(json.loads(jwks.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise click.ClickException(f"the keys cannot be used: {error}") from error


def _is_revoked(said: Any, status_file: Path, trusted: Any) -> bool:
    """Raises ClickException for a list that is not the credential's own, not signed, or too old to say that nothing happened."""
    from portal.core.clock import utcnow
    from portal.training.certificates import signing, status_list

    try:
        listed = signing.verify(status_file.read_text(encoding="ascii").strip(), trusted)
        if listed.get("jti") != said.status_list:
            raise ValueError(f"it is not the list {said.status_list}")
        revoked = status_list.is_set(str(listed["credentialSubject"]["encodedList"]), said.status_index)
        if not revoked and int(listed["exp"]) < utcnow().timestamp():  # what is set in an old one was revoked all the same
            raise ValueError(f"it could be relied on until {listed['validUntil']}: fetch {said.status_list} anew")
        return revoked
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise click.ClickException(f"the list of revocations cannot be used: {error}") from error


def _tell(said: Any) -> None:
    from portal.training.certificates import serial

    rows = [("serial", serial.shown(said.serial)), ("course", f"{said.title['zh']} / {said.title['en']}"),
            ("issuer", said.issuer), ("issued", f"{said.issued_at:%Y-%m-%d %H:%M} UTC"),
            ("valid until", f"{said.valid_until:%Y-%m-%d %H:%M} UTC" if said.valid_until else "no end")]
    for label, value in rows:
        click.echo(f"{label:<12}{value}")


def _end(code: int, words: str) -> Any:
    click.echo(words, err=code != GENUINE)
    sys.exit(code)
