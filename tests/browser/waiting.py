"""Waiting for a server to listen: bounded, and ended by its death."""

from __future__ import annotations

import socket
import subprocess
import time

LONGEST = 60.0  # seconds


def until_listening(port: int, process: subprocess.Popen, longest: float = LONGEST) -> None:
    """Return once 127.0.0.1:port listens. Raises RuntimeError when the process ends or time is up."""
    deadline = time.monotonic() + longest
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError as error:
            if process.poll() is not None:
                raise RuntimeError(f"the server ended with {process.returncode}") from error
            if time.monotonic() > deadline:
                raise RuntimeError(f"nothing listened on {port} after {longest} s") from error
            time.sleep(0.05)
