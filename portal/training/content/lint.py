"""`anlan content lint` for courses."""

from __future__ import annotations

from pathlib import Path

from portal.training.content import keys, reader
from portal.training.content.faults import Fault


def lint(content: Path, *, write_keys: bool = False) -> tuple[int, list[Fault]]:
    """(how many courses there are, all faults of their files in the language of the context, by file and line). With
    `write_keys`, keys.lock of each course is brought in step first."""
    found: list[Fault] = []
    directories = reader.folders(content)
    for directory in directories:
        reading = reader.read(directory)
        found += reading.faults
        if reading.course is None:
            continue
        if write_keys:
            keys.write(directory, reading.course)
        keys.check(directory, reading.course, found)
    return len(directories), sorted(set(found))
