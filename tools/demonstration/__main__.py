"""`python -m tools.demonstration`: write content/shelters/ again."""

from __future__ import annotations

from tools.demonstration import roads
from tools.demonstration.ground import CONTENT


def main() -> None:
    target = CONTENT / "shelters"
    town = roads.town()
    print("roads:", roads.write(target / "roads.osm.pbf", town))


if __name__ == "__main__":
    main()
