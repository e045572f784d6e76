"""The people who are told: subscribers of the demonstration district in the number that is asked for, with really sealed numbers.

Poured in by COPY (PostgreSQL) or executemany (SQLite), because how they came is not what is measured. Shares are exact, so that
a target by regions is so many people: see `SHARES` and `Population`. Ids and communities are mixed, as where people sign up.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import psycopg
from sqlalchemy import create_engine

from portal.core.phones import DEMONSTRATION_PREFIX, PhoneBook
from portal.subscribers.models import ACTIVE, OPTED_OUT

DISTRICT = "440310000000"
PINGSHAN, KENGZI = "440310001000", "440310005000"
#: Per cent of the people in each community of these streets; the others' communities share what is left.
_STREETS = {PINGSHAN: (1, 1, 1, 1, 6), KENGZI: (5, 5, 5, 5)}
#: Targets of a share (per cent) of all people, as regions.
SHARES = {1: ("440310001001",), 2: ("440310001001", "440310001002"),
          4: ("440310001001", "440310001002", "440310001003", "440310001004"), 10: (PINGSHAN,), 20: (KENGZI,), 100: (DISTRICT,)}
ENGLISH, GONE, SECOND = 10, 1, 2  # per cent: who reads English; who left, beside the others; who belongs to two communities
AUDIENCES = (1, 1, 1, 1, 1, 1, 1, 3, 5, 33)  # bits, drawn from
_SPREAD = 61_803_399
_SUBSCRIBER = ("id", "phone_sealed", "phone_index", "language", "audiences", "muted_kinds", "lowest_tier", "status", "source",
               "created_at", "changed_at")


def number(subscriber_id: int) -> str:
    """The number of a subscriber of this population."""
    return f"{DEMONSTRATION_PREFIX}{subscriber_id * _SPREAD % 100_000_000:08d}"


def language(subscriber_id: int) -> str:
    return "en" if subscriber_id % 100 < ENGLISH else "zh"


def homes(size: int, communities: Sequence[str]) -> list[str]:
    """Where the first, second, … subscriber lives; those who left come last."""
    placed = []
    named = [code for street in _STREETS for code in communities if code[:9] == street[:9]]
    for street, parts in _STREETS.items():
        inside = [code for code in communities if code[:9] == street[:9]]
        for code, part in zip(inside, parts, strict=True):
            placed += [code] * (size * part // 100)
    rest = [code for code in communities if code not in named]
    placed += [rest[n % len(rest)] for n in range(size - len(placed))]
    random.Random(size).shuffle(placed)  # noqa: S311  (made up, not secret)
    return placed + [rest[n % len(rest)] for n in range(size * GONE // 100)]


def _people(places: Sequence[str], size: int, book: PhoneBook) -> Iterator[tuple[int, bytes, bytes, str, int, str]]:
    seal, index = book.seal, book.index
    for i in range(1, len(places) + 1):
        told = number(i)
        yield i, seal(told), index(told), language(i), AUDIENCES[i % 10], ACTIVE if i <= size else OPTED_OUT


def _pairs(places: Sequence[str], communities: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Community and subscriber. A second community lies in the same street, so that a street's sum stays what it is."""
    streets: dict[str, list[str]] = {}
    for code in communities:
        streets.setdefault(code[:9], []).append(code)
    for i, home in enumerate(places, 1):
        yield home, i
        if i % 100 < SECOND and home[:9] != PINGSHAN[:9] and len(near := streets[home[:9]]) > 1:
            yield near[(near.index(home) + 1) % len(near)], i


def fill(url: str, size: int, communities: Sequence[str], book: PhoneBook) -> None:
    """Pour `size` active subscribers (and some who left) into the empty tables of the database at `url`."""
    places = homes(size, sorted(communities))
    if url.startswith("sqlite"):
        _fill_sqlite(url, size, places, communities, book)
    else:
        _fill_postgresql(url, size, places, communities, book)


def _fill_postgresql(url: str, size: int, places: list[str], communities: Sequence[str], book: PhoneBook) -> None:
    now = datetime.now(UTC).isoformat()
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=False) as server, server.cursor() as cursor:
        with cursor.copy(f"COPY subscriber ({', '.join(_SUBSCRIBER)}) FROM STDIN") as copy:
            lines: list[str] = []
            for i, sealed, index, tongue, audiences, status in _people(places, size, book):
                lines.append(f"{i}\t\\\\x{sealed.hex()}\t\\\\x{index.hex()}\t{tongue}\t{audiences}\t0\t0\t{status}\tbench"
                             f"\t{now}\t{now}\n")
                if len(lines) == 2000:
                    copy.write("".join(lines))
                    lines.clear()
            copy.write("".join(lines))
        cursor.execute("SET LOCAL session_replication_role = replica")  # the rows that they point to were just written
        with cursor.copy("COPY subscriber_region (region_code, subscriber_id) FROM STDIN") as copy:
            lines = []
            for code, i in _pairs(places, communities):
                lines.append(f"{code}\t{i}\n")
                if len(lines) == 5000:
                    copy.write("".join(lines))
                    lines.clear()
            copy.write("".join(lines))
        cursor.execute("SELECT setval(pg_get_serial_sequence('subscriber', 'id'), (SELECT max(id) FROM subscriber))")
        server.commit()
        server.autocommit = True
        cursor.execute("VACUUM (ANALYZE) subscriber, subscriber_region")
        cursor.execute("CHECKPOINT")


def _fill_sqlite(url: str, size: int, places: list[str], communities: Sequence[str], book: PhoneBook) -> None:
    engine = create_engine(url)
    path = engine.url.database
    engine.dispose()
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    base = sqlite3.connect(str(path))
    try:
        base.execute("PRAGMA journal_mode=WAL")
        base.execute("PRAGMA synchronous=OFF")
        marks = ", ".join("?" * len(_SUBSCRIBER))
        base.executemany(
            f"INSERT INTO subscriber ({', '.join(_SUBSCRIBER)}) VALUES ({marks})",  # noqa: S608
            ((i, sealed, index, tongue, audiences, 0, 0, status, "bench", now, now)
             for i, sealed, index, tongue, audiences, status in _people(places, size, book)))
        base.executemany("INSERT INTO subscriber_region (region_code, subscriber_id) VALUES (?, ?)",
                         sorted(_pairs(places, communities)))
        base.commit()
        base.execute("ANALYZE")
        base.commit()
        base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        base.close()
