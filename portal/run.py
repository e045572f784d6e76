"""The modes in which processes run: everything in one, or web, worker and scheduler each on its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import click
import waitress
from flask import Flask

from portal import create_app
from portal.channels.sms.lines.registry import configured
from portal.config import Settings
from portal.core import i18n, logs, migrate
from portal.core.db import db, hurry
from portal.core.leader import Lock, Stand
from portal.dispatch.bulk.keeper import rarely_collected
from portal.dispatch.watch import said
from portal.services import Clock, Sender
from portal.site.publish import publish
from portal.training import courses_store
from portal.watching import watch

if TYPE_CHECKING:
    from portal.dispatch.many.listener import Listener

#: Open connections at once; those of a thousand files that a process usually may have, leaving room for the rest.
CONNECTIONS = 800
#: Seconds without a byte after which a connection is closed, also one that began a request and does not go on.
IDLE_SECONDS = 30
LARGEST_HEADER = 32 * 1024
LARGEST_BODY = 18 * 1024 * 1024
#: Of PostgreSQL's locks: whoever has it keeps the time.
CLOCK_LOCK = 7_420_113_001_885_221_001


class Part(Protocol):
    """What a process runs from `start` to `stop`."""

    def start(self) -> None: ...
    def stop(self) -> None: ...


class AlreadyRunning(Exception):
    """Another process runs on this instance directory."""


@contextlib.contextmanager
def sole(settings: Settings) -> Iterator[None]:
    """Hold the instance directory for this process alone. Raises AlreadyRunning. The lock falls with the process."""
    settings.instance.mkdir(parents=True, exist_ok=True)
    with (settings.instance / "run.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AlreadyRunning from error
        yield


def _say(zh: str, en: str) -> None:
    click.echo(f"  {zh}  {en}")


@contextlib.contextmanager
def _step(zh: str, en: str) -> Iterator[None]:
    begun = time.monotonic()
    yield
    _say(f"✓ {zh}", f"{en} ({time.monotonic() - begun:.1f} s)")


def _begin_logs(settings: Settings) -> None:
    logs.set_up(settings.log_format, detailed="-v" in sys.argv)


class Ending:
    """Around the work of a process: the first SIGINT or SIGTERM ends the block, and what was begun is ended in order.

    A second Ctrl-C, for the impatient, ends the process at once. `asked`: whether it was a signal that ended the block.
    """

    IMPATIENT_SECONDS = 1.0  # a signal to a process and to its group is one wish, not two
    AGAIN_SECONDS = 0.5

    def __init__(self) -> None:
        self.asked = False
        self._asked_at = 0.0
        self._heeded = threading.Event()

    def __enter__(self) -> Ending:
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        sys.unraisablehook = self._dropped
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        self._heeded.set()
        return kind is KeyboardInterrupt

    def _on_signal(self, number: int, _frame: Any) -> None:
        if not self._heeded.is_set():
            if not self.asked:
                self.asked, self._asked_at = True, time.monotonic()
                threading.Thread(target=self._ask_again, name="ending", daemon=True).start()
            raise KeyboardInterrupt
        if number == signal.SIGINT and time.monotonic() - self._asked_at > self.IMPATIENT_SECONDS:
            os.write(sys.stderr.fileno(), "已中断 Broken off. What was in flight is looked after at the next start.\n".encode())
            os._exit(130)

    def _dropped(self, what: Any) -> None:
        if not (self.asked and issubclass(what.exc_type, KeyboardInterrupt)):  # that one is asked again, below
            sys.__unraisablehook__(what)

    def _ask_again(self) -> None:
        # Python drops what is raised while it clears memory away, and a dropped Ctrl-C would leave the process running.
        while not self._heeded.wait(self.AGAIN_SECONDS):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)


def run_all(settings: Settings) -> None:
    """`anlan run`: web, clock and sending in one process; in demonstration mode also broker, horns and sample data."""
    _begin_logs(settings)
    try:
        with sole(settings):
            _run_all(settings)
    except AlreadyRunning:
        click.echo(f"Another `anlan run` is at work in {settings.instance}. Stop it first, or set ANLAN_INSTANCE.", err=True)
        sys.exit(1)


def _run_all(settings: Settings) -> None:
    with contextlib.ExitStack() as parts, Ending():
        i18n.compile_catalogues()
        app = create_app(settings)
        with _step("数据库就绪", "database ready"), app.app_context():
            migrate.upgrade(app)
        with _step("课程已载入", "courses loaded"), app.app_context():
            courses_store.sync(faulty=settings.demo)
        server = _listen(app, settings)
        parts.callback(server.close)
        mqtt_url = settings.mqtt_url
        if settings.demo:
            from portal import demo

            demo.fill(app, _step)
            if not mqtt_url:
                mqtt_url = parts.enter_context(demo.horns(app, _step))
        with _step("公众页面已生成", "public pages rendered"), app.app_context():
            publish()
        # On SQLite nobody else can be sending; on PostgreSQL another host's worker may be.
        alone = _on_sqlite(settings)
        sender = Sender(app, mqtt_url=mqtt_url, alone=alone)
        heard, clock = _listening(settings), _clock(app, settings)
        for part in (sender, *heard, clock, watch(app, said.RUN, sender=sender, clock=clock, heard=heard)):
            part.start()
            parts.callback(part.stop)
        _greet(app, settings)
        server.run()
        click.echo("正在停止 Stopping …")
    click.echo("已停止 Stopped.")


def run_web(settings: Settings) -> None:
    """`anlan web`: answers requests; sends nothing."""
    configured(settings)  # whose callbacks it hears; a file that cannot be used is refused now, not at the first of them
    _begin_logs(settings)
    if settings.web_server == "granian":
        from portal.granian_web import serve

        _say(settings.base_url, "web (granian)")
        serve(settings)
        return
    with contextlib.ExitStack() as parts, Ending():
        app = create_app(settings)
        server = _listen(app, settings)
        part = watch(app, said.WEB)
        part.start()
        parts.callback(part.stop)
        _say(settings.base_url, "web")
        server.run()


def run_worker(settings: Settings) -> None:
    """`anlan worker`: plans and sends. Any number of them on one database; with a broker they wake each other."""
    def parts() -> list[Part]:
        app = create_app(settings)
        with app.app_context():
            hurry(db.engine)
        sender, heard = Sender(app), _listening(settings)
        found: list[Part] = [sender, *heard, watch(app, said.WORKER, sender=sender, heard=heard)]
        rarely_collected()
        return found

    _run_parts(parts, settings, "worker")


def run_scheduler(settings: Settings) -> None:
    """`anlan scheduler`: expiry and refreshing of pages. On PostgreSQL one leads and the others stand by; on SQLite there is
    one on an instance directory."""
    configured(settings)  # it sends reminders over them

    def parts() -> list[Part]:
        app = create_app(settings)
        clock = _clock(app, settings)
        return [clock, watch(app, said.SCHEDULER, clock=clock)]

    if not _on_sqlite(settings):
        _run_parts(parts, settings, "scheduler")
        return
    try:
        with sole(settings):
            _run_parts(parts, settings, "scheduler")
    except AlreadyRunning:
        click.echo(f"Another scheduler, or `anlan run`, is at work in {settings.instance}. Stop it first.", err=True)
        sys.exit(1)


def _on_sqlite(settings: Settings) -> bool:
    return settings.sqlalchemy_url.startswith("sqlite")


def _clock(app: Flask, settings: Settings) -> Clock | Stand:
    """The clock, or, where other processes may keep the time as well, a stand from which to lead."""
    if _on_sqlite(settings):
        return Clock(app)
    return Stand(Lock(settings.sqlalchemy_url, CLOCK_LOCK), lambda: Clock(app), say=_say_who_leads)


def _say_who_leads(leads: bool) -> None:
    if leads:
        _say("本进程负责定时任务", "this process keeps the time")
    else:
        _say("待命：由其他进程负责定时任务", "standing by: another process keeps the time, or the database is away")


def _listening(settings: Settings) -> list[Listener]:
    if not settings.broker_url:
        return []
    from portal.dispatch.many.listener import Listener  # Celery takes a moment to read

    return [Listener(settings.broker_url)]


def _run_parts(make: Callable[[], Sequence[Part]], settings: Settings, name: str) -> None:
    _begin_logs(settings)
    with contextlib.ExitStack() as parts, Ending():
        for part in make():
            part.start()
            parts.callback(part.stop)
        _say("运行中", f"{name} is running; Ctrl-C stops it")
        threading.Event().wait()


def server_options(settings: Settings) -> dict[str, Any]:
    """How the web server is bounded. Most of a warning's readers come within the same minutes, and browsers keep their
    connections open; waitress's own hundred would be full with twenty of them."""
    options: dict[str, Any] = {
        "threads": settings.web_threads,
        "ident": None,
        # With proxies in front, the application itself reads what they say (create_app), under any server alike.
        "clear_untrusted_proxy_headers": not settings.trusted_proxies,
        "connection_limit": CONNECTIONS,
        "asyncore_use_poll": True,  # select() ends at 1024 files
        "channel_timeout": IDLE_SECONDS,
        "max_request_header_size": LARGEST_HEADER,
        # Above what the application takes, so that who sends somewhat too much is told in words; and far below what fills
        # a disk, since a body is kept there before the application sees it.
        "max_request_body_size": LARGEST_BODY,
    }
    return options


def _listen(app: Flask, settings: Settings) -> Any:
    options = server_options(settings)
    try:
        return waitress.create_server(app, host=settings.host, port=settings.port, **options)
    except OSError as error:
        click.echo(f"Port {settings.port} cannot be used ({error.strerror}). Choose another: PORT=9000 make run", err=True)
        sys.exit(1)


def _greet(app: Flask, settings: Settings) -> None:
    from portal.identity import demo as people
    from portal.shelters import demo as shelters

    click.echo("")
    _say("公众网站 Public site", f"{settings.base_url}/zh/")
    _say("值班工作台 Desk", f"{settings.base_url}/desk/")
    if settings.demo:
        click.echo("")
        _say("演示账号", "Demonstration accounts (password anlan-demo-1)")
        with app.app_context():
            for username, _password, what in people.known():
                click.echo(f"    {username:<10} {what}")
        click.echo("")
        _say("避难场所值守端 Shelter staff", f"{settings.base_url}/staff/")
        _say(f"  手机号 {shelters.KEEPER[3:]}，验证码见工作台“沙盒”", "that number signs in; its code is in the desk's sandbox")
    click.echo("\n  Ctrl-C 停止 stops\n")
