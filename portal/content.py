"""`anlan content`: checks what editors write, of every capability."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path

import click

from portal import content_exchange as exchange

#: Faults of one course that `sync` prints; lint prints all.
_MOST_FAULTS = 5


@click.group("content")
def content() -> None:
    """What editors write: hazards, guidance, templates, hazard families, courses, guides."""


@content.command("lint")
@click.option("--write-keys", is_flag=True, help="Write down the answer keys' revisions of all courses (keys.lock) first.")
def lint(write_keys: bool) -> None:
    """Check every hazard, every text that comes of it, the shelters' hazard families, the words of paper, and every course with
    its banks, every guide; exit 1 where anything is wrong."""
    from portal.config import load_settings
    from portal.shelters.paper import wording
    from portal.shelters.registry import family_content
    from portal.warnings import commands as warnings

    settings = load_settings()
    catalogue, found = warnings.lint(settings)
    events = None if catalogue is None else catalogue.hazards
    directory = (settings.content / family_content.FILE).parent
    found += [f"{directory}/{problem}" for problem in family_content.problems(settings.content, events)]
    found += [f"{directory}/{problem}" for problem in wording.problems(settings.content)]
    courses, faults = _courses(settings.content, settings.timezone, write_keys)
    found += faults
    guides, faults = _guides(settings.content, settings.timezone, events)
    found += faults
    for line in found:
        click.echo(line)
    click.echo(f"{0 if catalogue is None else len(catalogue)} hazards, {courses} courses, {guides} guides, {len(found)} problems")
    sys.exit(1 if found else 0)


@content.command("sync")
@click.option("--faulty", is_flag=True, help="Also load courses of which `anlan content lint` says something.")
def sync(faulty: bool) -> None:
    """Load each course whose files changed as a new version; attempts in progress keep theirs. Exit 1 where a course could not
    be loaded because of what is wrong with it."""
    from flask_babel import force_locale

    from portal import create_app
    from portal.config import load_settings
    from portal.doctor import language
    from portal.training import courses_store

    refused = 0
    with create_app(load_settings()).app_context(), force_locale(language()):
        for one in courses_store.sync(faulty=faulty):
            words = "loaded as version" if one.new else "is current: version" if one.version_id else "is not loaded"
            told = f"{one.slug} {words} {one.version_id or ''}".rstrip()
            click.echo(f"{told}, {len(one.faults)} faults" if one.faults else told)
            for fault in one.faults[:_MOST_FAULTS]:
                click.echo(f"  {fault}")
            refused += bool(one.faults) and not one.new and not faulty
    if refused:
        click.echo("Courses with faults stay as they were: mend them (anlan content lint), or load them with --faulty.")
    sys.exit(1 if refused else 0)


def _guides(directory: Path, timezone: str, events: Collection[str] | None) -> tuple[int, list[str]]:
    """(how many guides, what is wrong with them, a line each) in the language of the terminal."""
    from flask import Flask
    from flask_babel import force_locale

    from portal.core import i18n
    from portal.doctor import language
    from portal.guides import reader

    words = Flask(__name__)
    i18n.init_app(words, timezone)
    with words.app_context(), force_locale(language()):
        reading = reader.read(directory, events)
    return len(reading.guides), [f"{directory}/{fault}" for fault in reading.faults]


def _courses(directory: Path, timezone: str, write_keys: bool) -> tuple[int, list[str]]:
    """(how many courses, what is wrong with them, a line each) in the language of the terminal. Needs no database."""
    from flask import Flask
    from flask_babel import force_locale

    from portal.core import i18n
    from portal.doctor import language
    from portal.training.content.lint import lint as lint_courses
    from portal.training.content.reader import FOLDER

    i18n.compile_catalogues()
    words = Flask(__name__)
    i18n.init_app(words, timezone)
    with words.app_context(), force_locale(language()):
        many, faults = lint_courses(directory, write_keys=write_keys)
    return many, [f"{directory / FOLDER}/{fault}" for fault in faults]


content.add_command(exchange.import_)
content.add_command(exchange.export)
