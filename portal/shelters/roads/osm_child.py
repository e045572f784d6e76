"""Reads a file of OpenStreetMap in a process of its own, whose memory and time are bounded: files come from strangers, and the
reader is not ours. Started by `roads.osm`: writes the graph to standard output, or one line of JSON that says what is wrong.
"""

from __future__ import annotations

import json
import resource
import sys
from array import array
from collections import Counter
from typing import Any, NoReturn

import numpy as np

from portal.shelters.roads.graph import Graph, divided, make, to_bytes
from portal.shelters.roads.osm_tags import BACKWARD, Walkable, closed_gate, walkable

#: Metres. Longer pieces get nodes between, so that the nearest node is near everywhere on a way.
LONGEST = 60.0
#: Ways that are named in the summary.
NAMED = 20
FAULT = 3


class Fault(Exception):
    """Why there is no graph: a key of `roads.osm.WORDS`, and a number for its words."""

    def __init__(self, key: str, number: int = 0) -> None:
        super().__init__(key)
        self.key, self.number = key, number


class Ways:
    """The walkable ways of a file, as references to nodes."""

    def __init__(self, most_ways: int, most_refs: int) -> None:
        self.most_ways, self.most_refs = most_ways, most_refs
        self.refs, self.ends = array("q"), array("q", [0])
        self.kinds, self.flags, self.labels, self.ids = array("i"), array("i"), array("i"), array("q")
        self.names: dict[tuple[str, str], int] = {("", ""): 0}
        self.left_out: Counter[str] = Counter()
        self.odd_oneway = 0

    def add(self, number: int, tags: dict[str, str], refs: list[int]) -> None:
        way = walkable(tags)
        if not isinstance(way, Walkable):
            self.left_out[way] += 1
            return
        if len(self.ids) >= self.most_ways:
            raise Fault("ways", self.most_ways)
        if len(self.refs) + len(refs) > self.most_refs:
            raise Fault("nodes", self.most_refs)
        if way.direction == BACKWARD:
            refs = refs[::-1]
        closed = tags.get("area") == "yes" and len(refs) > 2 and refs[0] != refs[-1]
        self.refs.extend(refs + refs[:1] if closed else refs)
        self.ends.append(len(self.refs))
        self.ids.append(number)
        self.kinds.append(way.kind)
        self.flags.append(way.flags)
        self.labels.append(self.names.setdefault((way.zh, way.en), len(self.names)))
        self.odd_oneway += way.odd_oneway


def read(path: str, most_ways: int, most_refs: int, most_nodes: int) -> Graph:
    """The walkable graph of a file, with a summary of what was found. Raises Fault."""
    import osmium

    ways = Ways(most_ways, most_refs)
    for way in osmium.FileProcessor(path, osmium.osm.WAY).with_filter(osmium.filter.KeyFilter("highway", "route")):
        ways.add(way.id, {tag.k: tag.v for tag in way.tags}, [node.ref for node in way.nodes])
    if not len(ways.ids):
        raise Fault("empty")
    wanted, at = np.unique(np.frombuffer(ways.refs, np.int64), return_inverse=True)
    lon, lat = np.full(len(wanted), np.nan), np.full(len(wanted), np.nan)
    index = {ref: n for n, ref in enumerate(wanted.tolist())}
    gates, unused, seen = [], 0, 0
    for node in osmium.FileProcessor(path, osmium.osm.NODE):
        seen += 1
        if seen > most_nodes:
            raise Fault("nodes", most_nodes)
        if (n := index.get(node.id)) is None:
            unused += 1
            continue
        if node.location.valid():
            lon[n], lat[n] = node.location.lon, node.location.lat
        if len(node.tags) and closed_gate({tag.k: tag.v for tag in node.tags}):
            gates.append(n)
    return _graph(ways, at.astype(np.int64), lon, lat, gates, unused)


def _graph(ways: Ways, at: Any, lon: Any, lat: Any, gates: list[int], unused: int) -> Graph:
    ends = np.frombuffer(ways.ends, np.int64)
    of = np.repeat(np.arange(len(ways.ids)), np.diff(ends))
    a, b = at[:-1], at[1:]
    pairs = of[:-1] == of[1:]
    known = np.isfinite(lon)
    whole = known[a] & known[b]
    broken = np.unique(of[:-1][pairs & ~whole])
    shut = np.zeros(len(lon), bool)
    shut[gates] = True
    kept = pairs & whole & ~shut[a] & ~shut[b]
    edge_of, a, b = of[:-1][kept], a[kept], b[kept]
    used = np.unique(np.concatenate([a, b]))
    if not len(used):
        raise Fault("empty")
    new = np.full(len(lon), -1, np.int64)
    new[used] = np.arange(len(used))
    names = list(ways.names)
    summary = {
        "ways": len(ways.ids), "left_out": dict(ways.left_out), "odd_oneway": ways.odd_oneway, "gates": len(gates),
        "nodes_without_way": unused, "ways_with_missing_nodes": len(broken),
        "missing": [_said(ways, names, int(n)) for n in broken[:NAMED]]}
    graph = make(lon[used], lat[used], new[a], new[b], name=np.frombuffer(ways.labels, np.int32)[edge_of], names=names,
                 kind=np.frombuffer(ways.kinds, np.int32)[edge_of], flags=np.frombuffer(ways.flags, np.int32)[edge_of],
                 summary=summary)
    if not graph.edges:
        raise Fault("empty")
    graph = divided(graph, LONGEST)
    islands = np.bincount(graph.component)
    graph.summary.update(islands=len(islands), main_share=round(float(islands[0]) / graph.nodes, 4),
                         metres=round(float(graph.length.sum())))
    return graph


def _said(ways: Ways, names: list[tuple[str, str]], number: int) -> str:
    zh, en = names[ways.labels[number]]
    return f"{ways.ids[number]} {zh or en}".strip()


def main(arguments: list[str]) -> NoReturn:
    path, memory, seconds, ways, refs, nodes = arguments[0], *map(int, arguments[1:])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        data = to_bytes(read(path, ways, refs, nodes))
    except Fault as fault:
        _tell(fault.key, fault.number)
    except MemoryError:
        _tell("memory", memory // 2**20)
    except (RuntimeError, ValueError, OSError, OverflowError):
        _tell("unreadable")
    sys.stdout.buffer.write(data)
    sys.stdout.flush()
    sys.exit(0)


def _tell(key: str, number: int = 0) -> NoReturn:
    sys.stdout.write(json.dumps({"fault": key, "number": number}))
    sys.stdout.flush()
    sys.exit(FAULT)


if __name__ == "__main__":
    main(sys.argv[1:])
