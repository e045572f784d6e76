"""Begins `anlan` commands as processes forked from one that has read all modules: `python -m tests.faults.nursery`.

A fault suite begins some hundred processes, and to read the modules takes each of them longer than all that is asked of it. What
runs in the child is what the command line runs. Orders come as lines of JSON: {"start": [arguments], "environment": {...},
"output": path, "namespace": name, "patched": {"module:NAME": value}} is answered {"pid": n}; {"look": pid} is answered
{"code": n} once it has ended, and {"code": null} before.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_NETWORK = 0x40000000  # CLONE_NEWNET


class Nursery:
    """The other end: what a test does with it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery"], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"})  # what is forked must have one thread
        self._ended: dict[int, int] = {}

    def start(self, arguments: list[str], environment: dict[str, str], output: Path, namespace: str = "",
              patched: dict[str, float] | None = None) -> int:
        """Begin `anlan ARGUMENTS`; its process id. All that it says goes to `output`. `namespace`: the name of its network;
        `patched`: constants that are others in it, by "module:NAME"."""
        return int(self._ask({"start": arguments, "environment": environment, "output": str(output),
                              "namespace": namespace, "patched": patched or {}})["pid"])

    def ended(self, pid: int) -> int | None:
        """The exit code of a process that was begun here, negative for a signal; None while it runs."""
        if pid not in self._ended:
            code = self._ask({"look": pid})["code"]
            if code is None:
                return None
            self._ended[pid] = int(code)
        return self._ended[pid]

    def close(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended already
            self._process.stdin.close()
        self._process.wait(20)

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def _read_modules() -> None:
    """All that any command imports, also what an application imports only when it is made."""
    import tempfile

    from portal import cli, create_app, granian_web, run, services  # noqa: F401
    from portal.config import Settings
    from portal.core.db import db
    from portal.dispatch.many import listener  # noqa: F401

    with tempfile.TemporaryDirectory() as directory:
        app = create_app(Settings(instance=Path(directory), secret_key="x" * 40, phone_key="ab" * 32))
        with app.app_context():
            db.engine.dispose()


def _become(order: dict[str, Any]) -> None:
    """In the child: be that command, as if it had been typed."""
    from portal.cli import main

    os.setsid()
    if order["namespace"]:
        _enter(order["namespace"])
    nowhere = os.open(os.devnull, os.O_RDONLY)
    said = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number, replaced in ((nowhere, 0), (said, 1), (said, 2)):
        os.dup2(number, replaced)
    os.closerange(3, 256)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w", buffering=1), os.fdopen(2, "w", buffering=1)
    os.environ.clear()
    os.environ.update(order["environment"])
    random.seed()  # else all of them would draw the same pauses
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for name, value in order["patched"].items():
        module, _, constant = name.partition(":")
        setattr(importlib.import_module(module), constant, value)
    sys.argv = ["anlan", *order["start"]]
    main()


def _enter(namespace: str) -> None:
    """Have the network of `namespace` from now on, and no other."""
    place = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(place, _NETWORK):
        raise OSError(ctypes.get_errno(), f"the network namespace {namespace} cannot be entered")
    os.close(place)


def _serve(children: set[int]) -> None:
    _read_modules()
    for line in sys.stdin:
        order = json.loads(line)
        if "look" in order:
            pid, status = (order["look"], None)
            if pid in children:
                found, code = os.waitpid(pid, os.WNOHANG)
                if found:
                    children.discard(pid)
                    status = os.waitstatus_to_exitcode(code)
            print(json.dumps({"code": status}), flush=True)
            continue
        if (threads := threading.active_count()) != 1:
            raise RuntimeError(f"{threads} threads: a fork would inherit their locks and not them")
        pid = os.fork()
        if pid == 0:
            try:
                _become(order)
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
            except BaseException:
                sys.excepthook(*sys.exc_info())
                code = 1
            else:
                code = 0
            with contextlib.suppress(OSError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)
        children.add(pid)
        print(json.dumps({"pid": pid}), flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever began it ends it, by closing its input
    begun: set[int] = set()
    try:
        _serve(begun)
    finally:
        for child in begun:  # nobody is left who would end them
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
