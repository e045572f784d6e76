"""Distances on the Earth: where one arrives, and the polygon that stands for a circle.

Coordinates are WGS 84 degrees, longitude first. The ellipsoid matters: a sphere would be wrong by up to 0.3 %
here, which is 300 m at the edge of a circle of 100 km.
"""

from __future__ import annotations

from math import atan, atan2, cos, degrees, pi, radians, sin, sqrt, tan
from typing import Any

#: Semi-major axis in metres and flattening of WGS 84.
AXIS, FLATTENING = 6_378_137.0, 1 / 298.257223563
CORNERS = 64
DECIMALS = 6
#: Square degrees (about 0.01 m²) below which a ring is a line: sums of decimals are seldom exactly zero.
NOTHING = 1e-12
_MAX_ROUNDS = 50


def destination(lon: float, lat: float, azimuth: float, metres: float) -> tuple[float, float]:
    """The point `metres` from (lon, lat) on the geodesic that leaves at `azimuth` degrees, clockwise from
    north.

    Vincenty's direct formula (Survey Review 23/176, 1975); exact to well under a millimetre for our
    distances.
    """
    minor = AXIS * (1 - FLATTENING)
    bearing = radians(azimuth)
    reduced = atan((1 - FLATTENING) * tan(radians(lat)))
    to_equator = atan2(tan(reduced), cos(bearing))
    sin_alpha = cos(reduced) * sin(bearing)
    cos2_alpha = 1 - sin_alpha**2
    u2 = cos2_alpha * (AXIS**2 - minor**2) / minor**2
    a = 1 + u2 / 16384 * (4096 + u2 * (-768 + u2 * (320 - 175 * u2)))
    b = u2 / 1024 * (256 + u2 * (-128 + u2 * (74 - 47 * u2)))
    sigma = metres / (minor * a)
    for _round in range(_MAX_ROUNDS):
        middle = cos(2 * to_equator + sigma)
        change = (
            b
            * sin(sigma)
            * (
                middle
                + b
                / 4
                * (
                    cos(sigma) * (2 * middle**2 - 1)
                    - b / 6 * middle * (4 * sin(sigma) ** 2 - 3) * (4 * middle**2 - 3)
                )
            )
        )
        before, sigma = sigma, metres / (minor * a) + change
        if abs(sigma - before) < 1e-13:
            break
    middle = cos(2 * to_equator + sigma)
    across = sin(reduced) * sin(sigma) - cos(reduced) * cos(sigma) * cos(bearing)
    arrived = atan2(
        sin(reduced) * cos(sigma) + cos(reduced) * sin(sigma) * cos(bearing),
        (1 - FLATTENING) * sqrt(sin_alpha**2 + across**2),
    )
    turned = atan2(
        sin(sigma) * sin(bearing), cos(reduced) * cos(sigma) - sin(reduced) * sin(sigma) * cos(bearing)
    )
    c = FLATTENING / 16 * cos2_alpha * (4 + FLATTENING * (4 - 3 * cos2_alpha))
    gone = turned - (1 - c) * FLATTENING * sin_alpha * (
        sigma + c * sin(sigma) * (middle + c * cos(sigma) * (2 * middle**2 - 1))
    )
    east = (radians(lon) + gone + pi) % (2 * pi) - pi
    return degrees(east), degrees(arrived)


def circle_ring(lon: float, lat: float, radius: float, corners: int = CORNERS) -> list[list[float]]:
    """A closed ring, counter-clockwise, whose corners lie `radius` metres from the centre."""
    around = (destination(lon, lat, -360 * i / corners, radius) for i in range(corners))
    ring = [[round(x, DECIMALS), round(y, DECIMALS)] for x, y in around]
    return [*ring, ring[0]]


def to_polygon(area: dict[str, Any]) -> dict[str, Any]:
    """The GeoJSON Polygon of a checked area: itself, or 64 corners on the circle. What is shown, what is sent
    in CAP and what decides who is inside are this one polygon."""
    if area["type"] == "Circle":
        lon, lat = area["center"]
        return {"type": "Polygon", "coordinates": [circle_ring(lon, lat, area["radius"])]}
    return {"type": "Polygon", "coordinates": area["coordinates"]}
