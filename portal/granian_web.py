"""`anlan web` with granian, a server in Rust: for the minutes in which everybody reads at once.

Pages that were published are answered before the application on whichever thread is free; with several threads, an operator's
slow page does not make residents wait."""

from __future__ import annotations

import socket
import sys

import click
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from portal.config import Settings
from portal.run import IDLE_SECONDS, LARGEST_HEADER

#: Seconds that requests in progress have when the server is told to end.
ENDING_SECONDS = 10
#: Connections that wait to be taken up: readers of a warning come within the same seconds.
BACKLOG = 2048


def server(settings: Settings) -> MPServer:
    """The server; each of its processes makes an application from the environment."""
    return MPServer(
        "portal:create_app", factory=True, interface=Interfaces.WSGI, address=settings.host, port=settings.port,
        workers=settings.web_processes, blocking_threads=settings.web_threads, backlog=BACKLOG,
        http=HTTPModes.http1, websockets=False,
        http1_settings=HTTP1Settings(header_read_timeout=IDLE_SECONDS * 1000, max_buffer_size=LARGEST_HEADER),
        log_level=LogLevels.error, log_access=False, respawn_failed_workers=True, workers_kill_timeout=ENDING_SECONDS)


def serve(settings: Settings) -> None:
    """Until SIGINT or SIGTERM. What was begun is ended first."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:  # granian would go on trying in each process
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            click.echo(f"Port {settings.port} cannot be used ({error.strerror}). Choose another: PORT=9000 anlan web", err=True)
            sys.exit(1)
    server(settings).serve()
