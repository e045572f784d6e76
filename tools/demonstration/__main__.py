"""`python -m tools.demonstration [DIRECTORY]`: write content/shelters/ again, or write it elsewhere."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from portal.shelters.registry.exchange import table
from tools.demonstration import communities, hazards, roads, shelters, transfers
from tools.demonstration.ground import CONTENT


def write(target: Path) -> None:
    """All files of the demonstration but the hazard families, which are no invention."""
    town = roads.town()
    print("roads:", roads.write(target / "roads.osm.pbf", town))
    places = shelters.rows(town)
    live = dict.fromkeys(table.LIVE)
    _table(target / "shelters.csv", table.COLUMNS, [table.write_row(row, live)[: len(table.COLUMNS)] for row in places])
    wet = hazards.waterlogging(town, places)
    text = json.dumps(wet, ensure_ascii=False, separators=(",", ":")).replace('{"type":"Feature",', '\n{"type":"Feature",')
    (target / "waterlogging.geojson").write_text(text + "\n", encoding="utf-8")
    print("waterlogging points:", len(wet["features"]))
    print("communities:", communities.write(target / "communities.yaml", town))
    people = transfers.rows(town)
    _table(target / "transfers.csv", list(people[0]), [list(row.values()) for row in people])


def _table(path: Path, columns: Sequence[str], rows: list[list[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
    print(f"{path.name}: {len(rows)} rows")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else CONTENT / "shelters")
