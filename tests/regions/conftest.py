"""Files to import, and the demonstration district in the test's database."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from portal.regions import demo

HEADING = ("code", "name_zh", "name_en", "pinyin", "population", "demonstration")
DISTRICT = ("440999000000", "试验区", "Trial District", "shi yan qu", "300", "true")
STREET = ("440999001000", "东街道", "East Subdistrict", "dong jie dao", "300", "true")
NORTH = ("440999001001", "北社区", "North Community", "bei she qu", "100", "true")
SOUTH = ("440999001002", "南社区", "South Community", "nan she qu", "200", "true")
TREE = (DISTRICT, STREET, NORTH, SOUTH)


def square(west: float, south: float, side: float = 0.01) -> list[list[list[float]]]:
    east, north = round(west + side, 6), round(south + side, 6)
    return [[[west, south], [east, south], [east, north], [west, north], [west, south]]]


def feature(code: Any, coordinates: Any, kind: str = "Polygon", **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": {"code": code, **properties},
        "geometry": {"type": kind, "coordinates": coordinates},
    }


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """A CSV file of these rows below the usual heading."""

    def write(
        *rows: Iterable[str],
        name: str = "regions.csv",
        heading: Iterable[str] = HEADING,
        encoding: str = "utf-8",
    ) -> Path:
        path = tmp_path / name
        with path.open("w", newline="", encoding=encoding) as file:
            csv.writer(file).writerows([heading, *rows])
        return path

    return write


@pytest.fixture
def shapes(tmp_path: Path) -> Callable[..., Path]:
    """A GeoJSON file of these features."""

    def write(*features: dict[str, Any], name: str = "regions.geojson", **members: Any) -> Path:
        path = tmp_path / name
        path.write_text(
            json.dumps({"type": "FeatureCollection", **members, "features": features}), encoding="utf-8"
        )
        return path

    return write


@pytest.fixture
def district(context: Flask) -> Flask:
    """The demonstration district."""
    demo.seed()
    return context
