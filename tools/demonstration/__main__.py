"""`python -m tools.demonstration`: write content/shelters/ again."""

from __future__ import annotations

import json

from tools.demonstration import communities, hazards, roads, shelters
from tools.demonstration.ground import CONTENT


def main() -> None:
    target = CONTENT / "shelters"
    town = roads.town()
    print("roads:", roads.write(target / "roads.osm.pbf", town))
    places = shelters.rows(town)
    wet = hazards.waterlogging(town, places)
    text = json.dumps(wet, ensure_ascii=False, separators=(",", ":")).replace('{"type":"Feature",', '\n{"type":"Feature",')
    (target / "waterlogging.geojson").write_text(text + "\n", encoding="utf-8")
    print("waterlogging points:", len(wet["features"]))
    print("communities:", communities.write(target / "communities.yaml", town))


if __name__ == "__main__":
    main()
