"""Links that open a way on foot in other maps, each in its own coordinates.

In mainland China maps are shifted: Amap, Apple and Google draw theirs in GCJ-02, Baidu draws its own in BD-09, a further shift
of GCJ-02. The formulas are those that are known publicly (https://en.wikipedia.org/wiki/Restrictions_on_geographic_data_in_China);
neither has an official one. Outside of a box around China nothing is shifted. The way back is found by trial, to a millimetre.
"""

from __future__ import annotations

from math import atan2, cos, pi, sin, sqrt
from urllib.parse import quote

#: Krasovsky 1940, on which GCJ-02 is built.
_AXIS, _ECCENTRICITY2 = 6_378_245.0, 0.006_693_421_622_965_943
_BAIDU = pi * 3000 / 180
#: West, south, east, north.
CHINA = (72.004, 0.8293, 137.8347, 55.8271)
#: What a browser's encodeURIComponent leaves as it is.
_SAFE = "!'()*~"


def in_china(lon: float, lat: float) -> bool:
    """Whether the shift applies: a box, as the maps' own tools have it, and so a little more than the country."""
    west, south, east, north = CHINA
    return west <= lon <= east and south <= lat <= north


def to_gcj02(lon: float, lat: float) -> tuple[float, float]:
    """WGS 84 to GCJ-02."""
    if not in_china(lon, lat):
        return lon, lat
    x, y = lon - 105.0, lat - 35.0
    wave = (20 * sin(6 * x * pi) + 20 * sin(2 * x * pi)) * 2 / 3
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(abs(x)) + wave
    north += (20 * sin(y * pi) + 40 * sin(y / 3 * pi)) * 2 / 3 + (160 * sin(y / 12 * pi) + 320 * sin(y * pi / 30)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(abs(x)) + wave
    east += (20 * sin(x * pi) + 40 * sin(x / 3 * pi)) * 2 / 3 + (150 * sin(x / 12 * pi) + 300 * sin(x / 30 * pi)) * 2 / 3
    phi = lat / 180 * pi
    w2 = 1 - _ECCENTRICITY2 * sin(phi) * sin(phi)
    w = sqrt(w2)
    return (lon + east * 180 / (_AXIS / w * cos(phi) * pi), lat + north * 180 / (_AXIS * (1 - _ECCENTRICITY2) / (w2 * w) * pi))


def from_gcj02(lon: float, lat: float) -> tuple[float, float]:
    """GCJ-02 to WGS 84."""
    x, y = lon, lat
    for _ in range(10):
        east, north = to_gcj02(x, y)
        x, y = x + lon - east, y + lat - north
    return x, y


def gcj02_to_bd09(lon: float, lat: float) -> tuple[float, float]:
    z = sqrt(lon * lon + lat * lat) + 0.00002 * sin(lat * _BAIDU)
    angle = atan2(lat, lon) + 0.000003 * cos(lon * _BAIDU)
    return z * cos(angle) + 0.0065, z * sin(angle) + 0.006


def to_bd09(lon: float, lat: float) -> tuple[float, float]:
    """WGS 84 to BD-09; outside of China unchanged."""
    return gcj02_to_bd09(*to_gcj02(lon, lat)) if in_china(lon, lat) else (lon, lat)


def from_bd09(lon: float, lat: float) -> tuple[float, float]:
    """BD-09 to WGS 84."""
    x, y = lon, lat
    for _ in range(10):
        east, north = to_bd09(x, y)
        x, y = x + lon - east, y + lat - north
    return x, y


def links(lon: float, lat: float, name: str) -> dict[str, str]:
    """Addresses that open the way on foot from where the reader is to a place (WGS 84): `amap`, `baidu`, `apple`, `google`.
    They name the place and nothing of the reader."""
    called = quote(name, safe=_SAFE)
    x, y = (f"{v + 0.0:.6f}" for v in to_gcj02(lon, lat))  # without the sign of -0.0, which a phone does not write
    bx, by = (f"{v + 0.0:.6f}" for v in to_bd09(lon, lat))
    gaode = "gaode" if in_china(lon, lat) else "wgs84"
    baidu = "bd09ll" if in_china(lon, lat) else "wgs84"
    here = quote("我的位置", safe=_SAFE)
    return {
        "amap": f"https://uri.amap.com/navigation?to={x},{y},{called}&mode=walk&src=anlan&coordinate={gaode}&callnative=1",
        "baidu": (f"https://api.map.baidu.com/direction?origin={here}&destination=latlng:{by},{bx}%7Cname:{called}&mode=walking"
                  f"&coord_type={baidu}&output=html&src=anlan"),
        "apple": f"https://maps.apple.com/?daddr={y},{x}&dirflg=w&q={called}",
        "google": f"https://www.google.com/maps/dir/?api=1&destination={y}%2C{x}&travelmode=walking",
    }
