"""`anlan roads`: the walkable graph."""

from __future__ import annotations

import hashlib
from pathlib import Path

import click

from portal.shelters.roads.graph import Graph


@click.group()
def roads() -> None:
    """The walkable graph on which ways to shelters are found."""


@roads.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--check", is_flag=True, help="Only read it and say what is in it.")
@click.option("--source", default="", help="Where it comes from, as it is to be shown (default: the file's name).")
@click.option("--licence", default="ODbL 1.0", show_default=True, help="Under which licence; empty where there is none.")
def import_(file: Path, check: bool, source: str, licence: str) -> None:
    """Put the walkable ways of FILE (.osm.pbf or .osm of OpenStreetMap) in use: all of it, or nothing. The ways to shelters
    are computed again soon after. Exit 1 where the file cannot be used."""
    from portal import create_app
    from portal.config import load_settings
    from portal.core.errors import Invalid
    from portal.shelters.roads import osm, store

    with create_app(load_settings()).app_context():
        try:
            graph = osm.read(file)
            _tell(graph)
            if check:
                click.echo("nothing was changed: this was a check")
                return
            row = store.save(graph, source=source or file.name, licence=licence, sha256=_digest(file))
        except Invalid as invalid:
            raise click.ClickException("; ".join(str(p.message) for p in invalid.problems)) from invalid
        click.echo(f"graph {row.id} is in use")


@roads.command()
def show() -> None:
    """What is in use now."""
    from portal import create_app
    from portal.config import load_settings
    from portal.shelters.roads import store

    with create_app(load_settings()).app_context():
        row, graph = store.newest(), store.current()
        if row is None or graph is None:
            click.echo("no graph was imported yet")
            return
        click.echo(f"graph {row.id} of {row.made_at:%Y-%m-%d %H:%M} UTC: {row.source} ({row.licence or 'no licence told'})")
        _tell(graph)


def _tell(graph: Graph) -> None:
    found = graph.summary
    click.echo(f"{graph.nodes:,} nodes and {graph.edges:,} pieces of way, {graph.length.sum() / 1000:,.1f} km, "
               f"{len(graph.names) - 1:,} names")
    if "ways" in found:
        left = ", ".join(f"{key} {count:,}" for key, count in sorted(found["left_out"].items()))
        click.echo(f"{found['ways']:,} ways for people on foot; left out: {left or 'none'}")
        click.echo(f"{found['nodes_without_way']:,} nodes belong to no way; {found['gates']:,} closed gates; "
                   f"{found['merged']:,} doubled pieces; {found['odd_oneway']:,} values of oneway:foot that mean nothing")
    if found.get("ways_with_missing_nodes"):
        click.echo(f"{found['ways_with_missing_nodes']:,} ways lack nodes, and their pieces there: "
                   f"{'; '.join(found['missing'])}{' …' if found['ways_with_missing_nodes'] > len(found['missing']) else ''}")
    if "islands" in found:
        click.echo(f"{found['islands']:,} islands; the largest holds {found['main_share']:.1%} of the nodes")


def _digest(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
