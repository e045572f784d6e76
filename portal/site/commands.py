"""`anlan site`: the rendered pages by hand."""

from __future__ import annotations

import click

from portal import create_app


@click.group()
def site() -> None:
    """What residents read: the rendered pages and feeds."""


@site.command("publish")
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Render every file again, also those whose facts did not change.",
)
def site_publish(everything: bool) -> None:
    """Render the public pages and swap them in."""
    from portal.config import load_settings
    from portal.site.course_pages import publish_courses
    from portal.site.publish import publish, root_of

    settings = load_settings()
    app = create_app(settings)
    done = publish(app, everything=everything)
    courses = publish_courses(app, everything=everything)
    seconds = done.seconds + courses.seconds
    click.echo(f"{done.rendered + courses.rendered} files rendered, {courses.unchanged} unchanged, in {seconds:.2f} s")
    click.echo(root_of(settings) / "current")
