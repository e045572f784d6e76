"""`anlan content import` and `export`: questions from and for other programs. They need no database."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

KINDS = ("gift", "moodle")


@contextmanager
def _words() -> Iterator[Path]:
    """The language of the terminal; the directory of content."""
    from flask import Flask
    from flask_babel import force_locale

    from portal.config import load_settings
    from portal.core import i18n
    from portal.doctor import language

    settings = load_settings()
    i18n.compile_catalogues()
    app = Flask(__name__)
    i18n.init_app(app, settings.timezone)
    with app.app_context(), force_locale(language()):
        yield settings.content


@click.command("import")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--course", required=True, help="The course that gets the questions.")
@click.option("--module", default="", help="Its module. Without it each category goes to the module that has its name.")
@click.option("--language", required=True, type=click.Choice(("zh", "en")), help="The language of FILE.")
@click.option("--other", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="The same questions in the other language; without it they are marked to be translated.")
@click.option("--objective", default="", help="The objective of questions that name none, such as fire-and-smoke.1.")
@click.option("--check", is_flag=True, help="Only say what would be taken and what not.")
def import_(kind: str, file: Path, course: str, module: str, language: str, other: Path | None, objective: str,
            check: bool) -> None:
    """Bring the questions of FILE (GIFT, or Moodle's XML) into the banks of a course, behind those that are there.

    What FILE does not say is marked in the banks; lint refuses them until it is done. Exit 1 where something could not be taken.
    """
    from portal.training.exchange import coming, planning
    from portal.training.exchange.drafts import Unreadable

    with _words() as content:
        try:
            reading = coming.read(kind, file.read_bytes(), language)
            second = coming.read(kind, other.read_bytes(), "en" if language == "zh" else "zh") if other else None
            plan = planning.make(content, course, reading, language, module=module, objective=objective, other=second)
        except Unreadable as error:
            raise click.ClickException(f"{file}:{error.line or 1}: {error.reason}") from error
        except planning.NoCourse as error:
            raise click.ClickException(str(error)) from error
        for one in plan.untaken:
            click.echo(f"{file}:{one.line}: {one.name}: {one.reason}")
        for draft, goal, left in plan.taken:
            told = "; ".join([*draft.notes, *left])
            click.echo(f"{file}:{draft.line}: {draft.id} → {goal}" + (f": {told}" if told else ""))
        written = [] if check else planning.apply(plan, content)
    for path in written:
        click.echo(f"written: {path}")
    click.echo(f"{len(plan.taken)} questions taken, {plan.unfinished} of them unfinished; {len(plan.untaken)} not taken.")
    sys.exit(1 if plan.untaken else 0)


@click.command("export")
@click.argument("kind", type=click.Choice(("gift", "qti3", "qti21")))
@click.argument("file", type=click.Path(dir_okay=False, writable=True, path_type=Path))
@click.option("--course", required=True, help="The course whose questions go out.")
@click.option("--module", default="", help="Only this module.")
@click.option("--language", required=True, type=click.Choice(("zh", "en")))
def export(kind: str, file: Path, course: str, module: str, language: str) -> None:
    """Write the questions of a course to FILE, with what is right: GIFT, or a package of QTI 3.0 or 2.1."""
    from portal.training.exchange import going, planning

    with _words() as content:
        try:
            body, left = going.write(kind, content, course, module, language)
        except planning.NoCourse as error:
            raise click.ClickException(str(error)) from error
    part = file.with_name(file.name + ".part")
    try:
        part.write_bytes(body)
        part.replace(file)  # a file of this name is always whole
    finally:
        part.unlink(missing_ok=True)
    for one in left:
        click.echo(f"{one.name}: {one.reason}")
    click.echo(f"{file}: {kind}, {len(left)} questions left out")
