"""The answers of the API as they were published, read from the generation in force: no database is asked.

A file is read again when the one under its name is another one, so a question sees what the last swap brought in."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from datetime import datetime
from functools import cached_property
from typing import Any

import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from portal.api.records import BASE
from portal.config import Settings

#: Files that are kept parsed: the lists, and a page of months back.
KEPT = 64


class Unpublished(Exception):
    """There is no generation yet, or the file is not in it."""


class Outlines:
    """Which regions a point lies in."""

    def __init__(self, features: list[dict[str, Any]]) -> None:
        self._codes = [one["id"] for one in features if one["geometry"]]
        shapes: list[BaseGeometry] = [shape(one["geometry"]) for one in features if one["geometry"]]
        self._tree = shapely.STRtree(shapes)

    def at(self, lon: float, lat: float) -> list[str]:
        """Codes, from the district down. On a common edge, the regions on both sides."""
        return sorted(self._codes[n] for n in self._tree.query(shapely.Point(lon, lat), predicate="intersects"))


class _File:
    def __init__(self, mark: tuple[int, int, int], body: bytes) -> None:
        self.mark, self.body = mark, body

    @cached_property
    def value(self) -> Any:
        return json.loads(self.body)

    @cached_property
    def outlines(self) -> Outlines:
        return Outlines(self.value["features"])


class Files:
    """The files of one instance directory."""

    def __init__(self, settings: Settings) -> None:
        self._root = settings.instance / "public" / "current" / BASE.strip("/")
        self._guard = threading.Lock()
        self._files: OrderedDict[str, _File] = OrderedDict()

    def bytes(self, name: str) -> bytes:
        """Raises Unpublished."""
        return self._get(name).body

    def value(self, name: str) -> Any:
        """What the file says; not to be changed. Raises Unpublished."""
        return self._get(name).value

    def at(self, lon: float, lat: float) -> list[str]:
        """Codes of the regions in which a point lies. Raises Unpublished."""
        return self._get("regions.geojson").outlines.at(lon, lat)

    def generated(self) -> datetime:
        return datetime.fromisoformat(self.value("warnings.json")["generated"])

    def _get(self, name: str) -> _File:
        path = self._root / name
        try:
            about = path.stat()
            mark = (about.st_ino, about.st_size, about.st_mtime_ns)
            with self._guard:
                known = self._files.get(name)
            if known is None or known.mark != mark:
                known = self._keep(name, _File(mark, path.read_bytes()))
        except OSError as error:
            raise Unpublished(name) from error
        return known

    def _keep(self, name: str, file: _File) -> _File:
        with self._guard:
            self._files[name] = file
            self._files.move_to_end(name)
            while len(self._files) > KEPT:
                self._files.popitem(last=False)
        return file
