"""What the maps of these pages are drawn from: our own regions, roads, shelters and obstructions, as small JSON answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from flask import Blueprint, Response, abort, jsonify, request, url_for
from shapely.geometry import mapping

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.i18n import select_language
from portal.identity.guard import signed_in
from portal.regions import lookup
from portal.shelters.registry import freshness, store, words
from portal.shelters.roads import obstructions
from portal.shelters.roads import store as roads
from portal.shelters.roads.obstruction_kinds import KINDS

#: Pieces of way of one answer: more are not drawn, and the map says that one must come closer.
MOST_PIECES = 6000
_MOST_SIGNS = 3000


def add_routes(blueprint: Blueprint) -> None:
    rule, anyone = blueprint.add_url_rule, signed_in()
    rule("/shelters/map/regions.json", "map_regions", anyone(regions))
    rule("/shelters/map/roads.json", "map_roads", anyone(road_pieces))
    rule("/shelters/map/shelters.json", "map_shelters", anyone(shelters))
    rule("/obstructions/map.json", "map_obstructions", anyone(obstacles))


def regions() -> Response:
    """The communities with their outlines, thinned out to about ten metres."""
    codes = lookup.communities_under([current_settings().district])
    language, snapshot = select_language(), lookup.current()
    shapes = snapshot.geometries(codes)
    found = [{"type": "Feature", "id": code, "properties": {"name": snapshot.nodes[code].name(language)},
              "geometry": mapping(shapely.set_precision(shape.simplify(0.0001), 1e-5))} for code, shape in shapes.items()]
    return _kept({"type": "FeatureCollection", "features": found})


def road_pieces() -> Response:
    """`?box=west,south,east,north`: the pieces of way in it as [lon, lat, lon, lat], or `too_many`."""
    graph = roads.current()
    if graph is None:
        return _kept({"pieces": [], "too_many": False})
    try:
        west, south, east, north = (float(v) for v in request.args.get("box", "").split(","))
        edges = graph.edge_tree.query(shapely.box(west, south, east, north))
    except (ValueError, shapely.errors.GEOSException):
        abort(400)
    if len(edges) > MOST_PIECES:
        return _kept({"pieces": [], "too_many": True})
    a, b = graph.a[edges], graph.b[edges]
    ends = np.round(np.stack([graph.lon[a], graph.lat[a], graph.lon[b], graph.lat[b]], 1), 6)
    return _kept({"pieces": ends.tolist(), "too_many": False})


def shelters() -> Response:
    language, now = select_language(), utcnow()
    found = [{"at": [s.longitude, s.latitude], "name": s.name(language), "status": str(words.said("status", s.status)),
              "open": s.status in ("open", "nearly_full") and not freshness.is_stale(s, now),
              "url": url_for("shelter_office.shelter", shelter_id=s.id)}
             for s in store.listing()[:_MOST_SIGNS] if s.longitude is not None]
    return jsonify(found)


def obstacles() -> Response:
    """Those in force and those to come, with what the map shows of them."""
    language, now = select_language(), utcnow()
    rows = [*obstructions.in_force(now), *obstructions.listing(now, state="coming", limit=500).rows]
    features: list[dict[str, Any]] = [
        {"type": "Feature", "id": str(row.id), "geometry": row.geometry, "properties": {
            "name": row.name(language), "kind": str(KINDS[row.kind].label) if row.kind in KINDS else row.kind,
            "effect": row.effect, "radius": row.radius, "state": obstructions.state_of(row, now),
            "url": url_for("shelter_office.obstruction", obstruction_id=row.id)}} for row in rows[:_MOST_SIGNS]]
    return jsonify({"type": "FeatureCollection", "features": features})


def _kept(value: dict[str, Any]) -> Response:
    """Roads and regions change seldom: a browser may keep them for a while."""
    response = jsonify(value)
    response.headers["Cache-Control"] = "private, max-age=300"
    return response
