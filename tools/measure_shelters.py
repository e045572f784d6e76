"""How long it takes to import 10,000 shelters, with bare `executemany` of the same rows measured beside it.

`python tools/measure_shelters.py [COUNT]` prints a table. Each way runs in a process of its own on a new SQLite database in
a temporary directory, with the demonstration district's regions; the reference reads the same file with `csv` and writes the
same columns into the same tables, and checks nothing. Nothing is asserted: machines differ.
"""

from __future__ import annotations

import csv
import io
import json
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from portal.shelters.registry.exchange.table import COLUMNS
from portal.shelters.registry.suitability import HAZARDS

COUNT, LIMIT = 10_000, 20.0
_INTEGERS = ("capacity_day", "capacity_night")
_FLOATS = ("longitude", "latitude", "area_m2", "m2_per_person")
_FACTS = {"yes": 1, "no": 0}


# -- the file ----------------------------------------------------------------------------------------------
def write_file(path: Path, count: int) -> None:
    """Shelters with two entrances each, every tenth with an outline, some values unknown; the same for the same count."""
    chance = random.Random(20261125)  # noqa: S311  (nothing secret hangs on it)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(_row(n, chance) for n in range(count))


def _row(n: int, chance: random.Random) -> dict[str, Any]:
    lon, lat = round(114.30 + chance.random() * 0.12, 6), round(22.63 + chance.random() * 0.10, 6)
    square = [[lon, lat], [lon + 0.001, lat], [lon + 0.001, lat + 0.001], [lon, lat + 0.001], [lon, lat]]
    outline = {"type": "Polygon", "coordinates": [[[round(v, 7) for v in p] for p in square]]}
    area = chance.randrange(200, 9000)
    return {
        "code": f"M{n:06d}", "name_zh": f"第{n}避难场所", "name_en": f"Shelter {n}", "pinyin": f"di {n} bi nan chang suo",
        "level": "village", "duration": "short", "space": chance.choice(("indoor", "outdoor")), "function": "comprehensive",
        "address_zh": f"演示路{n}号", "address_en": f"{n} Demonstration Road", "longitude": lon, "latitude": lat,
        "boundary": json.dumps(outline) if n % 10 == 0 else "",
        "entrances": f"东门|East gate|{lon + 0.0003:.6f}|{lat}|yes|24h; "
                     f"西门|West gate|{lon - 0.0003:.6f}|{lat}|unknown|08:00-22:00",
        **{f"suitable_{hazard}": chance.choice(("yes", "yes", "no", "unknown")) for hazard in HAZARDS},
        "area_m2": area, "m2_per_person": 2, "capacity_day": area // 2, "capacity_night": chance.choice((area // 3, "")),
        "step_free": chance.choice(("yes", "no", "unknown")), "water": "yes", "source": "measurement",
        "source_date": "2026-11-01", "checked_at": "2026-11-02T08:00:00+08:00", "demonstration": "yes",
    }


# -- the ways ----------------------------------------------------------------------------------------------
def run_import(directory: Path, mode: str) -> float:
    from flask import Flask

    from portal import create_app
    from portal.config import Settings
    from portal.core.db import db
    from portal.models import Base
    from portal.regions import demo
    from portal.shelters.registry import exchange

    app: Flask = create_app(Settings(instance=directory / "instance", surfaces=("hooks",), secret_key="measure " * 6,  # type: ignore[arg-type]
                                     phone_key="ab" * 32, public_url="http://localhost"))  # type: ignore[arg-type]
    with app.app_context():
        if mode == "prepare":
            Base.metadata.create_all(db.engine)
            demo.seed()
            return 0.0
        started = time.perf_counter()
        with (directory / "shelters.csv").open("rb") as stream:
            report = exchange.check(stream) if mode == "check" else exchange.apply(None, stream, name="shelters.csv")
        seconds = time.perf_counter() - started
        if report.bad:
            raise SystemExit(f"the measurement's own file is bad: {report.faults[0]}")
    return seconds


def run_reference(directory: Path) -> float:
    """Bare `csv` and `executemany`, in one transaction, with the portal's pragmas."""
    connection = sqlite3.connect(directory / "instance" / "anlan.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    started = time.perf_counter()
    shelters, entrances = _reference_rows((directory / "shelters.csv").read_text(encoding="utf-8-sig"))
    names = list(shelters[0])
    marks = ",".join("?" * len(names))
    connection.execute("BEGIN IMMEDIATE")
    # The names are this file's own columns, not input.
    connection.executemany(f"INSERT INTO shelter ({','.join(names)}) VALUES ({marks})",  # noqa: S608
                           [tuple(row.values()) for row in shelters])
    ids = dict(connection.execute("SELECT code, id FROM shelter"))
    connection.executemany("INSERT INTO shelter_entrance (shelter_id, position, name_zh, name_en, longitude, latitude, step_free,"
                           " hours) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [(ids[code], *rest) for code, *rest in entrances])
    connection.execute("COMMIT")
    return time.perf_counter() - started


def _reference_rows(text: str) -> tuple[list[dict[str, Any]], list[tuple[Any, ...]]]:
    shelters, entrances = [], []
    for row in csv.DictReader(io.StringIO(text)):
        kept: dict[str, Any] = {name: value for name, value in row.items() if not name.startswith("suitable_")}
        for n, gate in enumerate(kept.pop("entrances").split("; ")):
            zh, en, lon, lat, free, hours = gate.split("|")
            entrances.append((kept["code"], n, zh, en, float(lon), float(lat), _FACTS.get(free), hours))
        for name in _INTEGERS + _FLOATS:
            kept[name] = (int if name in _INTEGERS else float)(kept[name]) if kept[name] else None
        for name in ("step_free", "pets", "water", "power", "medical", "night", "demonstration"):
            kept[name] = _FACTS.get(kept[name])
        kept["suitability"] = json.dumps({h: row[f"suitable_{h}"] == "yes" for h in HAZARDS if row[f"suitable_{h}"] != "unknown"})
        kept["boundary"] = kept["boundary"] or None
        now = "2026-11-25 00:00:00"
        shelters.append(kept | {"version": 1, "created_at": now, "changed_at": now, "status_source": "", "checked_at": now})
    return shelters, entrances


# -- the table ---------------------------------------------------------------------------------------------
def child(directory: Path, mode: str) -> tuple[float, float]:
    """(seconds, peak memory in MB) of one way in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--child", str(directory), mode], check=True, capture_output=True, text=True)
    seconds, memory = done.stdout.split()
    return float(seconds), float(memory)


def main(count: int) -> None:
    print(f"{count:,} shelters with two entrances each, SQLite\n")
    print(f"{'':34}{'seconds':>9}{'rows/s':>10}{'peak MB':>9}")
    for database, modes in (("imported", ("check", "import", "again")), ("reference", ("reference",))):
        with tempfile.TemporaryDirectory(prefix=f"anlan-{database}-") as name:
            directory = Path(name)
            write_file(directory / "shelters.csv", count)
            _nothing, idle = child(directory, "prepare")
            for mode in modes:
                seconds, memory = child(directory, mode)
                print(f"{_LABELS[mode]:34}{seconds:9.2f}{count / seconds:10,.0f}{memory:9.0f}")
    print(f"\nthe application itself, before it imports: {idle:.0f} MB; the aim for 10,000: under {LIMIT:.0f} s")


_LABELS = {"check": "check (changes nothing)", "import": "import", "again": "import again (all as they were)",
           "reference": "reference: csv and executemany"}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        place, way = Path(sys.argv[2]), sys.argv[3]
        taken = run_reference(place) if way == "reference" else run_import(place, way)
        print(taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else COUNT)
