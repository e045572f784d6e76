"""The `anlan` command. Each capability brings its own commands; this file only gathers them."""

from __future__ import annotations

import click

from portal.channels.speakers import commands as speakers
from portal.core import commands as core
from portal.identity import commands as identity
from portal.regions import commands as regions
from portal.site import commands as site
from portal.subscribers import commands as subscribers
from portal.warnings import commands as warnings


@click.group()
def main() -> None:
    """Anlan 安澜: warnings, courses and shelters for a district."""


main.add_command(core.messages)
main.add_command(core.db)
main.add_command(core.settings)
main.add_command(identity.admin)
main.add_command(regions.regions)
main.add_command(site.site)
main.add_command(speakers.speaker)
main.add_command(speakers.speakers)
main.add_command(subscribers.subscribers)
main.add_command(warnings.content)


if __name__ == "__main__":
    main()
