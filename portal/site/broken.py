"""Which past warnings could not be rendered at the last publishing: noted beside the generations, told by desk and doctor."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

FILE = "broken-warnings"
#: Numbers that are told; more say no more.
MOST = 20


def note(root: Path, numbers: Sequence[str]) -> None:
    """Write down the numbers; with none, that all is well. A note that cannot be written stops nothing."""
    with suppress(OSError):
        if not numbers:
            (root / FILE).unlink(missing_ok=True)
            return
        scratch = root / f"{FILE}.{os.getpid()}"
        scratch.write_text("\n".join(numbers[:MOST]), encoding="utf-8")
        scratch.replace(root / FILE)


def numbers(root: Path) -> list[str]:
    """The numbers that were written down last."""
    try:
        return (root / FILE).read_text(encoding="utf-8").split()
    except OSError:
        return []
