"""Runs the bare clients of `bare_clients` as processes, one or several at the same moment."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from portal.config import ROOT
from tools.bench.bare_clients import Done, Job
from tools.bench.population import SHARES, homes, language
from tools.bench.rig import Rig


def people(rig: Rig, share: int) -> Path:
    """A file with the ids of a target's people, in the order in which they are told; made once."""
    path = rig.folder / f"people-{share}.npy"
    if not path.exists():
        prefixes = tuple(code.rstrip("0") if share in (10, 20, 100) else code for code in SHARES[share])
        placed = homes(rig.size, rig.communities)[: rig.size]
        found = sorted((home, language(i) != "zh", i) for i, home in enumerate(placed, 1) if home.startswith(prefixes))
        np.save(path, np.array([i for _home, _tongue, i in found], dtype=np.int64))
    return path


def run(
    rig: Rig, way: str, share: int, words: dict[str, str], gateway_url: str, *, parts: int = 1, most: int = 0,
    authority: str = "", **values: object,
) -> Done:
    """Let `parts` processes post to a target's people, each its part; all together. `values`: settings."""
    environment = rig.environment(gateway_url, **values)
    if authority:
        environment["SSL_CERT_FILE"] = authority
    ids = str(people(rig, share))
    started: list[subprocess.Popen[str]] = []
    try:
        for part in range(parts):
            process = subprocess.Popen([sys.executable, "-m", "tools.bench.bare_clients", way], cwd=ROOT, env=environment,
                                       text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            started.append(process)
            _say(process, json.dumps(asdict(Job(ids, words, part, parts, most))))
        for process in started:
            if _hear(process) != "ready":
                raise RuntimeError(f"the bare client {way} did not begin")
        for process in started:
            _say(process, "go")
        done = [Done(**json.loads(_hear(process))) for process in started]
    finally:
        for process in started:
            process.kill()
            process.communicate()
    if any(set(part.answers) != {"accepted"} for part in done):
        raise RuntimeError(f"the bare client {way} was not only accepted: {[part.answers for part in done]}")
    return _together(done)


def _together(done: Sequence[Done]) -> Done:
    """They began at the same moment: the slowest says when all were over."""
    return Done(max(d.seconds for d in done), sum(d.sent for d in done), sum(d.cpu for d in done), {})


def _say(process: subprocess.Popen[str], line: str) -> None:
    if process.stdin:
        process.stdin.write(line + "\n")
        process.stdin.flush()


def _hear(process: subprocess.Popen[str]) -> str:
    return process.stdout.readline().strip() if process.stdout else ""
