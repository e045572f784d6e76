"""What is taken from a file of OpenStreetMap, and that no file can do harm."""

import gzip
import os
import struct
import zlib
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.core.errors import Invalid
from portal.shelters.roads import commands, osm, store
from portal.shelters.roads.graph import BRIDGE, KINDS, NOT_STEP_FREE, ONEWAY_FOOT, STEPS, from_bytes, to_bytes
from portal.shelters.roads.osm_tags import Walkable, walkable

TOWN = Path(__file__).with_name("town.osm")
EXTRACT = Path(__file__).resolve().parents[4] / "shared" / "osm"


@pytest.fixture
def app(make_app):
    return make_app(surfaces=["hooks"])  # nothing here has pages


@pytest.fixture(scope="module")
def town():
    return osm.read(TOWN)


def _between(graph, lat1, lon1, lat2, lon2):
    def node(lat, lon):
        return next(n for n in range(graph.nodes) if abs(graph.lat[n] - lat) < 1e-7 and abs(graph.lon[n] - lon) < 1e-7)
    return graph.edge_between(node(lat1, lon1), node(lat2, lon2))


def test_people_walk_on_streets_paths_and_steps_and_on_nothing_that_is_forbidden(town):
    assert town.summary["ways"] == 9
    assert town.summary["left_out"] == {"motorway": 1, "ferry": 1, "forbidden": 2}
    steps = _between(town, 22.6805, 114.3405, 22.6806, 114.3405)
    assert town.flags[steps] & STEPS
    assert KINDS[town.kind[steps]] == "steps"


def test_a_one_way_street_is_walked_both_ways_and_a_one_way_for_people_is_not(town):
    street = _between(town, 22.68, 114.34, 22.68, 114.3405)
    assert not town.flags[street] & ONEWAY_FOOT
    assert town.names[town.name[street]] == ("深汕路", "Shenshan Road")
    one_way = [e for e in range(town.edges) if town.flags[e] & ONEWAY_FOOT]
    assert one_way
    assert all(town.lat[town.b[e]] > town.lat[town.a[e]] for e in one_way)  # drawn southwards, walked against that
    assert all(town.flags[e] & NOT_STEP_FREE for e in one_way)  # 12 % is too steep
    assert town.summary["odd_oneway"] == 1


def test_islands_are_kept_and_counted_and_nodes_without_ways_are_dropped_and_counted(town):
    assert town.summary["islands"] == 2
    assert 0.5 < town.summary["main_share"] < 1
    assert town.summary["nodes_without_way"] == 2
    assert not any(abs(town.lat - 22.695) < 1e-4)


def test_a_way_with_missing_nodes_is_named_and_its_other_pieces_stay(town):
    assert town.summary["missing"] == ["110 断头路"]
    assert any(town.names[town.name[e]][0] == "断头路" for e in range(town.edges))


def test_nobody_passes_a_closed_gate_and_doubled_pieces_are_merged(town):
    assert town.summary["gates"] == 1
    assert not any(abs(lon - 114.3414) < 1e-7 for lon in town.lon)
    assert town.summary["merged"] >= 2  # way 112 once more, and from a node to itself


def test_long_pieces_get_nodes_between_on_the_same_line(town):
    assert town.length.max() <= osm.osm_child.LONGEST * 1.01
    row = [n for n in range(town.nodes) if abs(town.lat[n] - 22.68) < 1e-9]
    assert len(row) >= 5


@pytest.mark.parametrize(("tags", "said"), [
    ({"highway": "residential"}, "road"), ({"highway": "footway", "footway": "crossing"}, "crossing"),
    ({"highway": "trunk"}, "forbidden"), ({"highway": "trunk", "sidewalk": "both"}, "road"),
    ({"highway": "cycleway"}, "path"), ({"highway": "cycleway", "foot": "no"}, "forbidden"),
    ({"highway": "service", "access": "private", "foot": "yes"}, "service"), ({"highway": "motorway_link"}, "motorway"),
    ({"highway": "primary", "motorroad": "yes"}, "motorway"), ({"highway": "construction"}, "other"),
    ({"highway": "corridor", "indoor": "yes"}, "corridor"), ({"highway": "proposed"}, "other"),
    ({"building": "yes"}, "other"), ({"highway": "residential", "access": "no"}, "forbidden"),
    ({"highway": "residential", "access": "destination"}, "road"),
])
def test_which_ways_are_for_people(tags, said):
    found = walkable(tags)
    assert (KINDS[found.kind] if isinstance(found, Walkable) else found) == said


def test_what_is_known_of_a_way():
    assert walkable({"highway": "steps", "ramp:wheelchair": "yes"}).flags & STEPS == 0
    assert walkable({"highway": "footway", "bridge": "yes"}).flags == BRIDGE
    assert walkable({"highway": "footway", "wheelchair": "no"}).flags == NOT_STEP_FREE
    assert walkable({"highway": "footway", "incline": "up"}).flags == 0
    assert walkable({"highway": "footway", "name": "a\u0000b\n " + "x" * 200}).zh == ("a b " + "x" * 200)[:80]


def test_a_stored_graph_comes_back_as_it_was(town):
    back = from_bytes(to_bytes(town))
    for key in ("lon", "lat", "a", "b", "length", "name", "kind", "flags"):
        assert (getattr(back, key) == getattr(town, key)).all(), key
    assert (back.names, back.summary) == (town.names, town.summary)
    with pytest.raises(ValueError, match=r"stored graph|zip|magic|pickle"):
        from_bytes(b"nothing of the kind")


@pytest.mark.parametrize("name", ["shenzhen_liuxiandong.osm.pbf", "shenzhen_liuxiandong.osm"])
def test_a_real_extract_is_read(name):
    path = EXTRACT / name
    if not path.exists():
        pytest.skip("the extract of OpenStreetMap is not beside this clone")
    graph = osm.read(path)
    assert graph.summary["ways"] == 466
    assert graph.summary["main_share"] > 0.9
    assert 40 < graph.length.sum() / 1000 < 60
    assert ("打石一路", "") in graph.names


def _blob(kind: bytes, size: int, data: bytes) -> bytes:
    """A block of a PBF file whose contents say that they are `size` bytes long when unpacked."""
    packed = zlib.compress(data)
    blob = b"\x10" + _varint(size) + b"\x1a" + _varint(len(packed)) + packed
    header = b"\x0a" + _varint(len(kind)) + kind + b"\x18" + _varint(len(blob))
    return struct.pack(">I", len(header)) + header + blob


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


BILLION = ('<?xml version="1.0"?><!DOCTYPE osm [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9)) + ']><osm version="0.6"><way id="1">'
    '<tag k="highway" v="&j;"/></way></osm>').encode()


@pytest.mark.parametrize(("name", "content"), [
    ("noise.osm.pbf", os.urandom(4096)),
    ("empty.osm.pbf", b""),
    ("bomb.osm.pbf", _blob(b"OSMHeader", 30 * 2**20, b"\0" * (30 * 2**20))),
    ("liar.osm.pbf", _blob(b"OSMHeader", 100, b"\x22\x0eOsmSchema-V0.6") + _blob(b"OSMData", 2**31 - 1, b"\0" * 100)),
    ("huge.osm.pbf", struct.pack(">I", 2**31 - 1) + b"\0" * 100),
    ("entities.osm", BILLION),
    ("open.osm", b"<osm version='0.6'><node id='1' lat='22' lon='114'/><way id='1'><nd ref='1'/>"),
    ("html.osm", b"<html><body>404</body></html>"),
    ("bomb.osm.gz", gzip.compress(b"<osm version='0.6'>" + b" " * (20 * 2**20))),
    ("far.osm", b"<osm version='0.6'><node id='1' lat='922' lon='114'/><node id='2' lat='22' lon='1e9'/>"
                b"<way id='1'><nd ref='1'/><nd ref='2'/><tag k='highway' v='path'/></way></osm>"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_a_malicious_or_broken_file_is_refused_in_words(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(Invalid) as refused:
        osm.read(path, osm.Limits(memory=1 << 30, seconds=20))
    assert refused.value.problems[0].field == "file"


@settings(max_examples=3, deadline=None)
@given(st.floats(0.02, 0.98), st.binary(min_size=1, max_size=40))
def test_a_damaged_file_gives_a_graph_or_words_and_never_anything_else(tmp_path_factory, at, noise):
    whole = TOWN.read_bytes()
    cut = int(len(whole) * at)
    path = tmp_path_factory.mktemp("damaged") / "town.osm"
    path.write_bytes(whole[:cut] + noise + whole[cut + len(noise):])
    try:
        found = osm.read(path).edges
    except Invalid as refused:
        found = len(str(refused))
    assert found > 0


@pytest.mark.parametrize(("limits", "word"), [
    (osm.Limits(bytes=1000), "MB"), (osm.Limits(ways=2), "ways"), (osm.Limits(nodes=3), "points"), (osm.Limits(refs=3), "points"),
])
def test_more_than_is_allowed_is_refused_in_words(limits, word):
    with pytest.raises(Invalid) as refused:
        osm.read(TOWN, limits)
    assert word in str(refused.value.problems[0].message)


def test_a_reader_that_takes_too_long_is_ended(tmp_path):
    pipe = tmp_path / "slow.osm"
    os.mkfifo(pipe)
    holder = os.open(pipe, os.O_RDWR)  # somebody writes into it, and never anything
    try:
        with pytest.raises(Invalid):
            osm.read(pipe, osm.Limits(seconds=1))
    finally:
        os.close(holder)


def test_the_child_knows_no_secret(monkeypatch):
    seen = {}
    monkeypatch.setenv("ANLAN_SECRET_KEY", "hush")
    monkeypatch.setattr(osm.subprocess, "run", lambda *a, **k: seen.update(k) or osm.subprocess.CompletedProcess(a, 1, b""))
    with pytest.raises(Invalid):
        osm.read(TOWN)
    assert not any("ANLAN" in key for key in seen["env"])


def test_an_import_is_in_use_and_in_the_trail(context, town):
    from portal.core.audit import AuditEntry
    from portal.core.db import db
    from portal.shelters.field import wish

    row = store.save(town, source="town.osm", licence="ODbL 1.0", sha256="ab" * 32)
    assert store.current().nodes == row.nodes
    assert store.current() is store.current()
    assert db.session.query(AuditEntry).filter_by(action="roads.import").one().details["sha256"] == "ab" * 32
    assert wish.state().wanted == 1


def test_an_import_cut_in_the_middle_leaves_the_former_graph(context, town, tmp_path, monkeypatch):
    former = store.save(town, source="first")
    whole = TOWN.read_bytes()
    cut = tmp_path / "cut.osm"
    cut.write_bytes(whole[:len(whole) // 2])
    with pytest.raises(Invalid):
        store.save(osm.read(cut), source="cut")

    def dies(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(store.wish, "ask", dies)
    with pytest.raises(KeyboardInterrupt):
        store.save(town, source="second")
    assert store.newest().id == former.id
    assert store.newest().source == "first"
    assert store.current() is not None


def test_the_command_says_what_is_in_a_file_and_a_check_changes_nothing(context, monkeypatch):
    monkeypatch.setattr("portal.create_app", lambda *_a: context)
    run = CliRunner().invoke
    checked = run(commands.roads, ["import", str(TOWN), "--check"])
    assert checked.exit_code == 0, checked.output
    assert "9 ways for people on foot" in checked.output
    assert "110 断头路" in checked.output
    assert "2 islands" in checked.output
    assert "nothing was changed" in checked.output
    assert store.newest() is None
    assert "is in use" in run(commands.roads, ["import", str(TOWN)]).output
    assert "town.osm (ODbL 1.0)" in run(commands.roads, ["show"]).output


def test_the_command_refuses_a_file_that_is_none(context, monkeypatch, tmp_path):
    monkeypatch.setattr("portal.create_app", lambda *_a: context)
    bad = tmp_path / "bad.osm.pbf"
    bad.write_bytes(b"\0" * 64)
    result = CliRunner().invoke(commands.roads, ["import", str(bad)])
    assert result.exit_code == 1
    assert "Error: " in result.output
    assert "Traceback" not in result.output
