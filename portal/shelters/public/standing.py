"""What became of the pages of shelters at the last publishing: kept beside the generations, read by the doctor.

`shelters.json` holds `at` (when), `trouble` (the kind of the error, empty when none), `since` (when the trouble began),
`kept` (files taken over because of it) and `behind` (files whose facts changed and that were left for the next time).
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

FILE = "shelters.json"


@dataclass(frozen=True)
class Standing:
    at: str
    trouble: str = ""
    since: str = ""
    kept: int = 0
    behind: int = 0


def read(root: Path) -> Standing | None:
    """The last standing; None where nothing was published yet or the file is damaged."""
    try:
        return Standing(**json.loads((root / FILE).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def write(root: Path, now: datetime, trouble: BaseException | None, *, kept: int = 0, behind: int = 0) -> None:
    """Note what the publishing at `now` did. A note that cannot be written stops nothing."""
    before = read(root)
    word = type(trouble).__name__ if trouble else ""
    since = before.since if before and before.trouble and word else now.isoformat() if word else ""
    text = json.dumps(asdict(Standing(now.isoformat(), word, since, kept, behind)))
    scratch = root / f"{FILE}.{os.getpid()}"
    with contextlib.suppress(OSError):
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(root / FILE)
