"""How long the evacuation field of a large district takes, with bare scipy on the same arrays measured beside it.

Prints a table. The town is made up: 90,000 nodes and 150,000 pieces of way that people walk both ways, over the demonstration
district's boundaries, 60 open shelters with 120 entrances, 50 obstructions drawn as polygons, six hazard families by two profiles
= twelve layers, on SQLite in a temporary directory. Seconds are those of the processor, of one core, but where wall clock is
said; each is the median (least to most) of the runs, which take turns with the reference. Nothing is asserted: machines differ.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from math import cos, pi, sin
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import brotli
import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from portal import create_app
from portal.config import Settings
from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.regions import demo as regions
from portal.regions import lookup
from portal.shelters import field as fields
from portal.shelters.field import compute as computing
from portal.shelters.field import facts as gathering
from portal.shelters.field import made, recompute
from portal.shelters.field.made import PROFILES, WALK, Facts
from portal.shelters.field.routes import Route
from portal.shelters.field.view import FieldView
from portal.shelters.models import Entrance, Obstruction, Shelter
from portal.shelters.registry.suitability import HAZARDS
from portal.shelters.roads import effects, store
from portal.shelters.roads.graph import KINDS, STEPS, Graph, from_bytes, make, to_bytes

DISTRICT = "440310000000"
COLUMNS, ROWS, EDGES, SHELTERS, POLYGONS, ASKED = 300, 300, 150_000, 60, 50, 2000


# -- the town ----------------------------------------------------------------------------------------------
def town(rng: np.random.Generator) -> Graph:
    """Bent streets in rows and columns over the district; every fiftieth piece is steps."""
    west, south, east, north = lookup.box(DISTRICT) or (0.0, 0.0, 0.1, 0.1)
    x, y = np.meshgrid(np.arange(COLUMNS), np.arange(ROWS))
    number = y * COLUMNS + x
    a = np.concatenate([number[:, :-1].ravel(), number[:-1].ravel()])
    b = np.concatenate([number[:, 1:].ravel(), number[1:].ravel()])
    street = np.concatenate([1 + y[:, :-1].ravel() % 150, 151 + x[:-1].ravel() % 150])
    kept = rng.choice(len(a), EDGES, replace=False)
    steps = rng.random(EDGES) < 0.02
    names = [("", ""), *((f"横{n}路", f"Row {n} Road") for n in range(150)),
             *((f"纵{n}路", f"Column {n} Road") for n in range(150))]
    lon = west + (x.ravel() + rng.normal(0, 0.2, x.size)) * (east - west) / COLUMNS
    lat = south + (y.ravel() + rng.normal(0, 0.2, x.size)) * (north - south) / ROWS
    return make(lon, lat, a[kept], b[kept], name=np.where(rng.random(EDGES) < 0.7, street[kept], 0), names=names,
                kind=np.where(steps, KINDS.index("steps"), 0), flags=np.where(steps, STEPS, 0))


def shelters(rng: np.random.Generator, graph: Graph) -> list[Shelter]:
    """Each suits five of six hazards or so; two entrances, of some of which nobody said whether they have steps."""
    now = utcnow()
    found = []
    for number, node in enumerate(rng.choice(graph.nodes, SHELTERS, replace=False).tolist()):
        lon, lat = float(graph.lon[node]) + 2e-4, float(graph.lat[node]) + 2e-4
        found.append(Shelter(
            code=f"M-{number}", name_zh=f"{number}号避难场所", name_en=f"Shelter {number}", longitude=lon, latitude=lat,
            suitability={hazard: bool(rng.random() < 0.85) for hazard in HAZARDS}, capacity_day=int(rng.integers(150, 6000)),
            capacity_night=int(rng.integers(150, 6000)), night=True, status="open", status_at=now, occupancy=0, source="measured",
            created_at=now, changed_at=now, entrances=[
                Entrance(position=n, name_zh=f"{n + 1}号门", name_en=f"Gate {n + 1}", longitude=lon + n * 4e-4, latitude=lat,
                         step_free=None if rng.random() < 0.2 else True) for n in range(2)]))
    return found


def obstructions(rng: np.random.Generator, graph: Graph) -> list[Obstruction]:
    """Uneven polygons of forty corners, some 200 m to 1 km wide; a fifth slow, the others cut; a tenth is for floods only."""
    now = utcnow()
    found = []
    for number in range(POLYGONS):
        node, wide = int(rng.integers(graph.nodes)), rng.uniform(0.001, 0.005)
        x, y = float(graph.lon[node]), float(graph.lat[node])
        ring = [[x + wide * r * cos(2 * pi * n / 40), y + wide * r * sin(2 * pi * n / 40)]
                for n, r in enumerate(rng.uniform(0.5, 1, 40))]
        slows = number % 5 == 0
        found.append(Obstruction(
            kind="closed", name_zh=f"{number}号积水点", geometry={"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
            effect="slows" if slows else "cuts", factor=2.5 if slows else 1.0, families=["water"] if number % 10 == 0 else [],
            begins_at=now - timedelta(hours=1), source="desk", region_codes=[], created_by="measured", created_at=now,
            changed_at=now))
    return found


# -- measuring ---------------------------------------------------------------------------------------------
def cpu(work: Callable[[], Any]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def reference(graph: Graph, facts: Facts, profiles: tuple[str, ...]) -> Callable[[], None]:
    """Bare scipy: one multi-source search per layer, on the very arrays of the layers; arrays and sources are ready before."""
    grounds, ground = computing._grounds(graph, facts)
    times = computing.Times(graph)
    joined = [computing._joints(graph, facts.doors, applied) for applied in grounds]
    ready = []
    for family, number in ground.items():
        _basis, used = computing._sources(facts.places, family)
        for profile in profiles:
            seconds = times.of(grounds[number], profile)
            joints = [j for j in joined[number] if facts.doors[j[0]].shelter in used
                      and (profile == WALK or facts.doors[j[0]].step_free)]
            matrix = csr_array((seconds, graph.arcs.to, graph.arcs.start), shape=(graph.nodes, graph.nodes))
            ready.append((matrix, np.unique([j[1] for j in joints]), made.FARTHEST / made.SPEEDS[profile]))

    def run() -> None:
        for matrix, sources, limit in ready:
            dijkstra(matrix, directed=True, indices=sources, min_only=True, return_predecessors=True, limit=limit)

    return run


def timed(work: Callable[[], Any], times: int) -> float:
    """Microseconds of the processor per call."""

    def often() -> None:
        for _ in range(times):
            work()

    return cpu(often) / times * 1e6


def row(what: str, figure: str, beside: str = "") -> None:
    print(f"{what:<66} {figure:>14}  {beside}")


def spread(values: list[float], unit: str = "s") -> str:
    return f"{statistics.median(values):.3f} {unit}"


def span(values: list[float]) -> str:
    return f"({min(values):.3f} to {max(values):.3f})"


def measure_computation(graph: Graph, facts: Facts, runs: int) -> None:
    """Full recomputation in memory, one layer and all, taking turns with the reference; with places for everybody, and with
    the demonstration's places, which run out when half of the people flee from an earthquake."""
    roomy = Facts(**(vars(facts) | {"places": [replace(place, room=100_000) for place in facts.places]}))
    one = Facts(**(vars(roomy) | {"effects": {"water": facts.effects["water"]}}))
    bare_first, bare_every = reference(graph, one, (WALK,)), reference(graph, facts, PROFILES)
    works: dict[str, Callable[[], Any]] = {
        "Full recomputation, one family and profile": lambda: computing.compute(graph, one, (WALK,)),
        "  reference: bare scipy dijkstra, one search on the same arrays": bare_first,
        "  of which effects of 50 polygons on 150,000 edges": lambda: effects.apply(graph, facts.effects["water"]),
        "Full recomputation, all twelve layers": lambda: computing.compute(graph, roomy),
        "  reference: bare scipy dijkstra, twelve searches on the same arrays": bare_every,
        "The same where places run out in two of the layers": lambda: computing.compute(graph, facts),
    }
    took: dict[str, list[float]] = {what: [] for what in works}
    for _ in range(runs):
        for what, work in works.items():
            took[what].append(cpu(work))
    for what, values in took.items():
        row(what, spread(values), span(values))
    found = [layer["searches"] for layer in computing.compute(graph, facts).summary["layers"].values()]
    row("  searches of its twelve layers", str(sum(found)), str(found))


def measure_whole(runs: int) -> tuple[FieldView, list[float], list[float], list[float]]:
    """Another head count, and a new version of the field from it: processor, wall clock, and packing alone."""
    whole, wall, stored = [], [], []
    for number in range(runs):
        with transaction() as session:
            session.query(Shelter).filter_by(code="M-0").update({"occupancy": number + 1})
        began = time.perf_counter()
        whole.append(cpu(lambda: recompute.now("measured")))
        wall.append(time.perf_counter() - began)
        view = fields.current()
        if view is None:
            raise RuntimeError("the field could not be computed; see the log")
        stored.append(cpu(lambda v=view: made.to_bytes(v.made)))  # type: ignore[misc]
    return view, whole, wall, stored


def measure_questions(view: FieldView, rng: np.random.Generator) -> None:
    """Routes from anywhere, and the files of the communities."""
    graph = view.graph
    nodes = rng.integers(0, graph.nodes, ASKED)
    points = [(float(graph.lon[n]) + 1e-4, float(graph.lat[n]) - 1e-4) for n in nodes]
    asked, numbers = iter(points * 3), iter(nodes.tolist() * 2)
    place, node = (timed(lambda: view.route(*next(asked), "water.walk"), ASKED),
                   timed(lambda: view.route_from_node(next(numbers), "water.walk"), ASKED))
    row("Route from a place (nearest node, obstructions, walk up the tree)", f"{place:.0f} µs")
    row("Route from a node", f"{node:.1f} µs")

    def told() -> None:
        route = view.route(*next(asked), "water.walk")
        if isinstance(route, Route) and route.line:
            route.words("zh")

    row("Route from a place with its line and its words", f"{timed(told, ASKED):.0f} µs")
    sizes = []
    for code in view.made.communities:
        took = cpu(lambda c=code: view.community_file(c))  # type: ignore[misc]
        file = view.community_file(code)
        sizes.append((len(brotli.compress(file)), len(file), len(json.loads(file)["n"]), took))
    most = max(sizes)
    row("File of the largest community, brotli", f"{most[0]:,} B", f"raw {most[1]:,} B, {most[2]:,} nodes; {len(sizes)} files")
    row("  mean of all, brotli; time to make one", f"{statistics.mean(s[0] for s in sizes):,.0f} B",
        f"{statistics.mean(s[3] for s in sizes) * 1000:.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    rng = np.random.default_rng(20260701)
    with tempfile.TemporaryDirectory() as directory:
        app = create_app(Settings(instance=Path(directory), secret_key="measured " * 5, phone_key="ab" * 32, surfaces=["hooks"]))
        with app.app_context():
            from portal.core import migrate

            migrate.upgrade(app, "head")
            regions.seed()
            graph = town(rng)
            machine = f"{platform.python_implementation()} {platform.python_version()}, numpy {np.__version__}"
            print(f"{machine}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {runs} runs; "
                  f"{graph.nodes:,} nodes, {graph.edges:,} edges")
            blob = to_bytes(graph)
            reading = cpu(lambda: from_bytes(blob))
            indexing = cpu(lambda: (graph.arcs, graph.component, graph.edge_tree, graph.finder))
            store.save(graph, source="measured")
            with transaction() as session:
                session.add_all([*shelters(rng, graph), *obstructions(rng, graph)])
            graph = store.current() or graph
            first = cpu(lambda: recompute.now("first"))
            facts, _next = gathering.gather(graph, utcnow())
            measure_computation(graph, facts, runs)
            view, whole, wall, stored = measure_whole(runs)
            row("The same from the database's facts to its new version (SQLite)", spread(whole),
                f"{span(whole)}; wall clock {spread(wall)}")
            row("  of which packing the field", spread(stored), f"{len(made.to_bytes(view.made)) / 1e6:.1f} MB")
            row("First in a process: unpacking the graph", f"{reading:.2f} s",
                f"its indexes {indexing:.2f} s, first field {first:.2f} s")
            measure_questions(view, rng)
            row("Most memory of the process (peak RSS)", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


if __name__ == "__main__":
    main()
