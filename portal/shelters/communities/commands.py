"""`anlan communities`: what is known of communities, brought in from a content file."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from portal.config import load_settings


@click.group()
def communities() -> None:
    """Posts, risk points and the ten "haves" of communities."""


@communities.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--check", is_flag=True, help="Only say what is wrong with it.")
def import_(file: Path, check: bool) -> None:
    """Bring communities in from FILE (YAML; see content/shelters/communities.yaml). With any problem nothing is changed."""
    from portal import create_app
    from portal.shelters.communities.importer import import_file

    with create_app(load_settings()).app_context():
        report = import_file(file, check=check)
    for problem in report.problems:
        click.echo(problem, err=True)
    click.echo(f"{report.communities} communities: {report.posts} posts, {report.risks} risk points, {report.haves} haves;"
               f" {report.changed} rows changed, {report.left} rows of staff left as they are")
    if report.problems:
        sys.exit(1)
