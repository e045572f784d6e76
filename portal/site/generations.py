"""Generations of rendered files: built aside, swapped in by one rename, the one before kept.

`root/current` is a symbolic link to the newest complete generation, a directory that any web server can
serve: each file with its `.gz` and `.br` beside it, and `manifest.json`, which says under which path each is
served. Whatever happens while a generation is built, `current` goes on naming the last complete one.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import brotli

MANIFEST = "manifest.json"
CURRENT = "current"
BUILDING = ".building-"
#: A publisher that waits longer than this for another one gives up with an error.
LOCK_SECONDS = 60
#: Files and directories that are written to the disk at the same time. One after another each waits for a flush of the whole
#: disk, for which a warning's page then waits; together they share it.
SYNCS = 16
# Brotli's highest levels take thirty times as long for a few per cent; and a window far beyond a page's size takes forty times
# as long as one that fits it, for nothing.
BROTLI_QUALITY, BROTLI_WINDOWS = 9, (16, 22)


@dataclass(frozen=True)
class Entry:
    """One served path. `file` is relative to its generation; `key` says from which facts it was rendered; the
    sizes are those of the plain, gzip and brotli forms, 0 where there is none."""

    file: str
    type: str
    key: str
    etag: str
    size: int
    gzip: int
    brotli: int


@dataclass(frozen=True)
class Manifest:
    rendered: str
    entries: dict[str, Entry]


def name_of_current(root: Path) -> str | None:
    """The generation in force; None when nothing was ever published."""
    try:
        return os.readlink(root / CURRENT)
    except OSError:
        return None


def read_manifest(directory: Path) -> Manifest | None:
    """What a generation holds; None when it is missing or damaged."""
    try:
        data = json.loads((directory / MANIFEST).read_bytes())
        return Manifest(data["rendered"], {path: Entry(**entry) for path, entry in data["entries"].items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def brotlied(body: bytes) -> bytes:
    least, most = BROTLI_WINDOWS
    return brotli.compress(body, quality=BROTLI_QUALITY, lgwin=max(least, min(most, len(body).bit_length())))


@contextlib.contextmanager
def locked(root: Path) -> Iterator[Callable[[], bool]]:
    """One publisher at a time, across processes; the locks of a killed process are freed by the kernel. Gives a function that
    says whether another one waits.

    Whoever waits holds the turn meanwhile. So one who lets go and asks again at once comes after those who waited, also where
    the machine is too busy to wake them. Raises TimeoutError after :data:`LOCK_SECONDS`."""
    root.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as handles:
        turn, lock = (os.open(root / name, os.O_RDWR | os.O_CREAT, 0o644) for name in (".turn", ".lock"))
        handles.callback(os.close, turn)
        handles.callback(os.close, lock)
        deadline = time.monotonic() + LOCK_SECONDS
        for handle in (turn, lock):
            while not _taken(handle):
                if time.monotonic() > deadline:
                    raise TimeoutError("another process has been publishing the public pages for too long")
                time.sleep(0.005)
        fcntl.flock(turn, fcntl.LOCK_UN)

        def wanted() -> bool:
            if not _taken(turn):
                return True
            fcntl.flock(turn, fcntl.LOCK_UN)
            return False

        yield wanted


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Building:
    """A generation in the making. Use under :func:`locked`; nothing of it shows before :meth:`finish`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.before = name_of_current(root)
        self._sweep()
        self._old = (read_manifest(root / self.before) if self.before else None) or Manifest("", {})
        numbers = [int(p.name) for p in root.iterdir() if p.name.isdigit()]
        self.name = f"{max(numbers, default=0) + 1:012d}"
        self.directory = root / (BUILDING + self.name)
        self.directory.mkdir()
        self.entries: dict[str, Entry] = {}
        self.rendered = self.linked = 0
        self._unsafe: list[Path] = []  # written, and perhaps only to the cache of the disk
        self._folders: set[str] = set()

    def put(self, path: str, file: str, content_type: str, key: str, make: Callable[[], bytes]) -> None:
        """Serve `file` under `path`. `make` is called only when `key` differs from the one in force."""
        target = self._target(file)
        old = self._old.entries.get(path)
        if old and old.key == key and old.file == file and self._link(old, target):
            self.entries[path] = old
            self.linked += 1
            return
        body = make()
        forms = {
            "": body,
            ".gz": gzip.compress(body, 9, mtime=0),
            ".br": brotlied(body),
        }
        sizes = {}
        for suffix, data in forms.items():
            worth = not suffix or len(data) < len(body)
            sizes[suffix] = len(data) if worth else 0
            if worth:
                self._write(target.with_name(target.name + suffix), data)
        etag = hashlib.sha256(body).hexdigest()[:24]
        self.entries[path] = Entry(file, content_type, key, etag, sizes[""], sizes[".gz"], sizes[".br"])
        self.rendered += 1

    def keep(self, wanted: Callable[[str], bool]) -> int:
        """Take over from the generation in force every path that is `wanted` and was not put; how many."""
        kept = 0
        for path in self._old.entries:
            if path not in self.entries and wanted(path):
                kept += self.keep_one(path)
        return kept

    def keep_one(self, path: str) -> bool:
        """Take one path over as it is in force, whatever its facts are now; False where it cannot be."""
        if (old := self._old.entries.get(path)) is None:
            return False
        if not self._link(old, self._target(old.file)):
            return False
        self.entries[path] = old
        self.linked += 1
        return True

    def had(self, path: str) -> bool:
        """Whether a path is in force."""
        return path in self._old.entries

    def is_same(self, path: str, key: str) -> bool:
        """Whether a path is in force with this key."""
        return (old := self._old.entries.get(path)) is not None and old.key == key

    def finish(self, rendered: str) -> None:
        """Swap this generation in, and remove those older than the one before it."""
        manifest = {"rendered": rendered, "entries": {path: vars(e) for path, e in self.entries.items()}}
        self._write(self.directory / MANIFEST, json.dumps(manifest, ensure_ascii=False).encode())
        folders = [Path(directory) for directory, _folders, _files in os.walk(self.directory)]
        with ThreadPoolExecutor(SYNCS) as pool:
            list(pool.map(_sync, self._unsafe + folders))  # the first error is raised here
        self.directory.rename(self.root / self.name)
        _sync(self.root)
        link = self.root / ".current.new"
        link.unlink(missing_ok=True)
        link.symlink_to(self.name)
        link.replace(self.root / CURRENT)
        _sync(self.root)
        self._sweep(keep={self.name, self.before})

    def _write(self, path: Path, data: bytes) -> None:
        _write(path, data)
        self._unsafe.append(path)

    def abandon(self) -> None:
        """Remove what was built so far; what is in force stays."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def _target(self, file: str) -> Path:
        """Where a file of this generation goes, in a folder that is there."""
        folder = file.rpartition("/")[0]
        if folder not in self._folders:
            (self.directory / folder).mkdir(parents=True, exist_ok=True)
            self._folders.add(folder)
        return self.directory / file

    def _link(self, old: Entry, target: Path) -> bool:
        """Take an unchanged file over from the generation in force; False when it is not whole there. Thousands are at each
        publishing, so these are calls of the system and little else."""
        source, goal = f"{self.root}/{self.before}/{old.file}", str(target)
        for suffix, size in (("", old.size), (".gz", old.gzip), (".br", old.brotli)):
            if suffix and not size:
                continue
            try:
                if os.stat(source + suffix).st_size != size:
                    return False
                if not _link_or_copy(source + suffix, goal + suffix):
                    self._unsafe.append(Path(goal + suffix))
            except FileNotFoundError:
                return False
        return True

    def _sweep(self, keep: set[str | None] | None = None) -> None:
        """Remove what crashed publishers left and, with `keep`, the generations that are not in it."""
        for path in self.root.iterdir():
            unfinished = path.name.startswith(BUILDING)
            if unfinished or (keep is not None and path.name.isdigit() and path.name not in keep):
                shutil.rmtree(path, ignore_errors=True)


def _link_or_copy(source: str, target: str) -> bool:
    """Whether it was linked; a copy is a file of its own, and not on the disk yet."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except FileExistsError:  # put once more, or half of it left from a damaged one
        os.unlink(target)
        return _link_or_copy(source, target)
    except OSError:  # a file system without hard links, or too many of them
        shutil.copyfile(source, target)
        return False
    return True


def _write(path: Path, data: bytes) -> None:
    """A file that is there is replaced, never written into: it may be linked from an older generation."""
    path.unlink(missing_ok=True)
    with path.open("xb") as file:
        file.write(data)


def _sync(path: Path) -> None:
    """A file or a directory is on the disk, not only in its cache."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
