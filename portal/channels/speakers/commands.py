"""`anlan speaker`: the reference device. `anlan speakers`: the registry."""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path

import click

from portal.channels.speakers import protocol


@click.command("speaker")
@click.option("--broker", required=True, envvar="ANLAN_SPEAKER_BROKER",
              help="mqtt://user:password@host:1883 or mqtts://…; better given as ANLAN_SPEAKER_BROKER, where other "
                   "users of the machine cannot read the password.")
@click.option("--address", required=True, help="Address of this device, as in the portal's registry.")
@click.option("--public-key", required=True, help="The portal's public key: a file, or 64 hexadecimal digits.")
@click.option("--state", required=True, type=click.Path(dir_okay=False, path_type=Path),
              help="File in which the device keeps what it must not forget over a restart.")
@click.option("--topic", default="anlan", show_default=True, help="First part of every topic.")
@click.option("--volume", type=click.IntRange(1, 100), default=100, show_default=True, help="Loudest volume, per cent.")
@click.option("--heartbeat", type=click.FloatRange(1, 60), default=30, show_default=True, help="Seconds between signs of life.")
@click.option("--chinese", type=click.Choice(("mandarin", "cantonese")), default="mandarin", show_default=True,
              help="In which tongue Chinese is read.")
@click.option("--log-only", is_flag=True, help="Do not sound; only write to the log what would be said.")
@click.option("--pace", type=click.FloatRange(0.1, 1000), default=1, show_default=True,
              help="With --log-only: so many times faster than speech.")
def speaker(broker: str, address: str, public_key: str, state: Path, topic: str, volume: int, heartbeat: float,
            chinese: str, log_only: bool, pace: float) -> None:
    """Be a loudspeaker: obey the portal's signed commands until stopped."""
    from portal.channels.speakers.agent import Agent
    from portal.channels.speakers.memory import MemoryFile
    from portal.channels.speakers.player import Player, SilentPlayer, SpeakingPlayer, missing_for_sound, sound_program

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout)
    if not protocol.is_address(address):
        raise click.BadParameter("1 to 64 letters, digits, '_', '.' or '-'", param_hint="--address")
    try:
        key = protocol.read_public_key(public_key)
    except (OSError, ValueError) as error:
        raise click.BadParameter(str(error), param_hint="--public-key") from error
    program = None if log_only else sound_program()
    missing = "" if log_only else missing_for_sound()
    player: Player = SilentPlayer(pace)
    if program and not missing:
        player = SpeakingPlayer(program, cantonese=chinese == "cantonese")
    elif missing:
        click.echo(f"{missing}: this device will only write to the log", err=True)
    try:
        agent = Agent(broker, topic, address, key, MemoryFile(state), player, volume=volume, heartbeat=heartbeat)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--broker") from error
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: agent.stop())
    agent.run()


@click.group("speakers")
def speakers() -> None:
    """The registry of loudspeakers."""


@speakers.command("key")
def show_key() -> None:
    """Print the public key that every device is given."""
    from portal.config import load_settings
    from portal.core import keys

    click.echo(protocol.public_hex(keys.speaker_key(load_settings())))


@speakers.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--check", is_flag=True, help="Read and check all of it, and change nothing.")
def import_(file: Path, check: bool) -> None:
    """Add or change the loudspeakers of a CSV FILE (UTF-8, with a header).

    Columns: address, name_zh, name_en, region_code, longitude, latitude (WGS 84); and where they differ from mqtt, zh,
    none, yes: bridge, language, groups (separated by ;), enabled. If any row is bad, nothing is changed.
    """
    from portal import create_app
    from portal.channels.speakers import importer
    from portal.config import load_settings

    with create_app(load_settings()).app_context():
        report = importer.import_csv(file, check=check)
    for problem in report.problems:
        click.echo(problem, err=True)
    if report.bad > len(report.problems):
        click.echo(f"… and {report.bad - len(report.problems)} more", err=True)
    if report.bad:
        click.echo(f"{report.bad} of {report.rows} rows are bad; nothing was changed", err=True)
        sys.exit(1)
    click.echo(f"{report.rows} rows are good; nothing was changed" if check
               else f"{report.added} loudspeakers added, {report.changed} changed")
