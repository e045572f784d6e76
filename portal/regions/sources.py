"""Reading what people hand in, piece by piece: CSV rows and GeoJSON features, in bounded memory.

No line, feature or file may make a process grow without bound: what is larger than the limits below is
refused with the place where it stands.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

MAX_LINE = 64 * 1024
#: Characters of one feature: about 350,000 positions, more than any boundary at full resolution needs.
MAX_FEATURE = 8 * 1024 * 1024
_BLOCK = 64 * 1024
_SPACE = " \t\r\n"
_WGS84_NAMES = ("CRS84", "4326", "4490", "WGS84")  # EPSG:4490 (CGCS 2000) differs from WGS 84 by centimetres


class Unreadable(Exception):
    """The file cannot be read on from `place` (``line 12``, ``feature 3`` or empty); `reason` is in plain
    words."""

    def __init__(self, place: str, reason: str) -> None:
        self.place, self.reason = place, reason
        super().__init__(f"{place}: {reason}" if place else reason)


def inspect(path: Path) -> tuple[str, str]:
    """(encoding, SHA-256) of a text file: UTF-8 with or without a byte order mark, else GB 18030."""
    digest, possible = hashlib.sha256(), {n: codecs.getincrementaldecoder(n)() for n in ("utf-8", "gb18030")}
    try:
        with path.open("rb") as file:
            if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
                raise Unreadable("", "the file is UTF-16 (Excel's 'Unicode text'): save it as CSV UTF-8")
            file.seek(0)
            while block := file.read(_BLOCK):
                digest.update(block)
                _feed(possible, block, final=False)
    except OSError as error:
        raise Unreadable("", f"the file cannot be opened: {error.strerror}") from error
    _feed(possible, b"", final=True)
    if not possible:
        raise Unreadable("", "the file is neither UTF-8 nor GB 18030 text: save it as CSV UTF-8")
    return ("utf-8-sig" if "utf-8" in possible else "gb18030"), digest.hexdigest()


def _feed(decoders: dict[str, Any], block: bytes, *, final: bool) -> None:
    for name in list(decoders):
        try:
            decoders[name].decode(block, final)
        except UnicodeDecodeError:
            del decoders[name]


def csv_rows(path: Path, encoding: str) -> Iterator[tuple[int, list[str]]]:
    """(line, fields) of each row that is not empty, the heading first."""
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader(_lines(file), strict=True)
        while True:
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise Unreadable(f"line {reader.line_num}", f"this is not CSV: {error}") from error
            if any(field.strip() for field in fields):
                yield reader.line_num, fields


def _lines(file: TextIO) -> Iterator[str]:
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise Unreadable(f"line {number}", f"the line is longer than {MAX_LINE:,} characters")
        yield line.removeprefix("\ufeff") if number == 1 else line


def features(path: Path, encoding: str) -> Iterator[tuple[int, Any]]:
    """(number, object) of each feature of a GeoJSON FeatureCollection (RFC 7946), counted from 1."""
    if encoding != "utf-8-sig":
        raise Unreadable("", "GeoJSON must be UTF-8 (RFC 8259)")
    with path.open(encoding=encoding) as file:
        text = _Text(file)
        if text.peek() != "{":
            raise Unreadable("", "this is not a GeoJSON FeatureCollection: it must begin with {")
        text.take()
        found = False
        while text.peek() == '"':
            name = text.value("")
            _expect(text, ":", f"after the name {str(name)[:40]!r}")
            if name == "features" and not found:
                found = True
                yield from _elements(text)
            else:
                _check_member(name, text.value(""))
            if text.peek() == ",":
                text.take()
                if text.peek() != '"':
                    raise Unreadable(
                        "",
                        f"this is not JSON: a name is missing after a comma near character {text.position:,}",
                    )
        _expect(text, "}", "at the end of the collection")
        if text.peek():
            raise Unreadable("", "something follows after the end of the collection")
        if not found:
            raise Unreadable("", "this is not a GeoJSON FeatureCollection: it has no list of features")


def _check_member(name: str, value: Any) -> None:
    if name == "type" and value != "FeatureCollection":
        raise Unreadable("", f"this is a GeoJSON {str(value)[:40]}; a FeatureCollection is needed")
    if name == "crs" and value is not None and not any(n in json.dumps(value).upper() for n in _WGS84_NAMES):
        raise Unreadable(
            "", "the coordinates are in another reference system: convert them to WGS 84 (EPSG:4326)"
        )


def _elements(text: _Text) -> Iterator[tuple[int, Any]]:
    _expect(text, "[", "before the features")
    number = 0
    if text.peek() == "]":
        text.take()
        return
    while True:
        number += 1
        yield number, text.value(f"feature {number}")
        mark = text.peek()
        if mark not in (",", "]"):
            raise Unreadable(
                f"feature {number}",
                "the list of features breaks off after it"
                if not mark
                else f"a comma or ] is missing after it, near character {text.position:,} of the file",
            )
        text.take()
        if mark == "]":
            return


def _expect(text: _Text, mark: str, where: str) -> None:
    if text.peek() != mark:
        raise Unreadable("", f"this is not JSON: {mark} is missing {where}, near character {text.position:,}")
    text.take()


class _Text:
    """A file as text of which only the piece being read is in memory."""

    def __init__(self, file: TextIO) -> None:
        self._file, self._buffer, self._at, self._gone, self._ended = file, "", 0, 0, False
        self._decoder = json.JSONDecoder()

    @property
    def position(self) -> int:
        return self._gone + self._at

    def _more(self) -> bool:
        """Read on, as much again as is held, so that a large feature is tried few times."""
        self._gone += self._at
        self._buffer, self._at = self._buffer[self._at :], 0
        block = "" if self._ended else self._file.read(max(_BLOCK, len(self._buffer)))
        self._ended = self._ended or not block
        self._buffer += block
        return bool(block)

    def peek(self) -> str:
        """The next character that is not a space; empty at the end."""
        while True:
            while self._at < len(self._buffer):
                if self._buffer[self._at] not in _SPACE:
                    return self._buffer[self._at]
                self._at += 1
            if not self._more():
                return ""

    def take(self) -> None:
        self._at += 1

    def value(self, place: str) -> Any:
        """The next JSON value."""
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
            except RecursionError as error:
                raise Unreadable(place, "the JSON is nested too deeply") from error
            except ValueError as error:
                if len(self._buffer) - self._at <= MAX_FEATURE and self._more():
                    continue
                if len(self._buffer) - self._at > MAX_FEATURE:
                    raise Unreadable(
                        place, f"no end within {MAX_FEATURE:,} characters: too large, or not JSON"
                    ) from error
                why = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
                near = self._gone + (error.pos if isinstance(error, json.JSONDecodeError) else self._at)
                raise Unreadable(
                    place, f"this is not JSON: {why} near character {near:,} of the file"
                ) from error
            # A number at the end of the piece may go on in the next.
            if end == len(self._buffer) and not self._ended and self._more():
                continue
            if end - self._at > MAX_FEATURE:
                raise Unreadable(place, f"larger than {MAX_FEATURE:,} characters")
            self._at = end
            return value
