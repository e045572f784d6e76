"""A way is told as people tell it, in both languages, and what is not certain is said."""

from dataclasses import replace

import numpy as np
import pytest

from portal.shelters.field import steps
from portal.shelters.field.phrases import phrases
from portal.shelters.field.routes import NoRoute
from portal.shelters.roads.graph import KINDS, STEPS, make
from tests.shelters.field.town import FAMILY, at_node, block, door, facts, shelter, view
from tests.shelters.grid import grid

WALK, STEP_FREE = f"{FAMILY}.walk", f"{FAMILY}.step_free"


def _field(graph, **more):
    made_of = facts(graph, [shelter(1, at_node(graph, 24))], [door(0, at_node(graph, 24, north=.1))], **more)
    return view(graph, made_of)


def _corner():
    """Four blocks east along the first row, then four north, and no other way."""
    town = grid(5, 5)
    kept = [e for e in range(town.edges) if (town.a[e] < 5 and town.b[e] < 5) or (town.a[e] % 5 == 4 and town.b[e] % 5 == 4)]
    return make(town.lon, town.lat, town.a[kept], town.b[kept], name=town.name[kept], names=town.names)


def test_a_way_in_english(words):
    route = _field(_corner()).route(*at_node(_corner(), 0, north=-.4), WALK)
    assert route.words("en") == [
        "To Shelter 1: about 850 m, 12 minutes on foot.", "Go north to the nearest way, about 40 m.",
        "Go east along Row 1 Road, about 400 m.", "Turn left into Column 5 Road, about 400 m.",
        "Arrive at Shelter 1, entrance East Gate."]
    assert route.seconds == pytest.approx(route.metres / 1.2, abs=1)
    assert (route.shelter_id, route.entrance_id, route.minutes) == (1, 100, 12)


def test_a_way_in_chinese(words):
    route = _field(_corner()).route_from_node(0, WALK)
    assert route.words("zh") == ["前往1号避难场所：全程约800米，步行约12分钟。", "沿横1路向东走约400米。",
                                 "左转进入纵5路，走约400米。", "到达1号避难场所（入口：东门）。"]


def test_slowed_ground_on_the_way_is_warned_of(words):
    graph = _corner()
    told = _field(graph, effects=[block(1.2, -.3, 1.8, .3, graph, "slows", 2.0)]).route_from_node(0, WALK).words("en")
    assert told[2] == ("Take care: about 100 m of this stretch may be wet or hard to pass."
                       " Turn back where water is above your knees.")


def test_a_plan_says_first_that_it_is_one(words):
    graph = _corner()
    field = view(graph, facts(graph, [shelter(1, at_node(graph, 24), state="ready")], [door(0, at_node(graph, 24))]))
    told = field.route_from_node(0, WALK).words("en")
    assert told[0].startswith("This is a plan: no shelter for this hazard is reported open.")


def test_the_step_free_way_says_that_not_everything_is_recorded(words):
    assert _field(_corner()).route_from_node(0, STEP_FREE).words("en")[-1].startswith("No steps are known on this way.")


def test_steps_and_ways_without_a_name_are_told_by_what_they_are(words):
    x = 114.34 + np.array([0, .001, .001, .001, .002])
    y = 22.68 + np.array([0, 0, .0005, .001, .001])
    kinds = [KINDS.index(k) for k in ("footway", "steps", "steps", "road")]
    graph = make(x, y, [0, 1, 2, 3], [1, 2, 3, 4], kind=kinds, flags=[0, STEPS, STEPS, 0])
    field = view(graph, facts(graph, [shelter(1, at_node(graph, 4))], [door(0, at_node(graph, 4))]))
    route = field.route_from_node(0, WALK)
    assert route.words("en")[1:4] == ["Go east along the footpath, about 100 m.", "Turn left and take the steps, about 100 m.",
                                      "Turn right into an unnamed road, about 100 m."]
    assert route.words("zh")[2] == "左转走台阶，约100米。"
    assert route.seconds == pytest.approx((route.metres + 110.7) / 1.2, abs=2)  # steps take twice as long
    assert field.route_from_node(0, STEP_FREE) == NoRoute("no_way")


def test_a_street_keeps_its_name_over_its_bridge_but_not_on_steps(words):
    ways = [steps.Way("深汕路", "", kind) for kind in ("road", "bridge", "crossing", "steps", "road")]
    at = [(114.34 + n * .0005, 22.68) for n in range(8)]
    told = steps.steps([at[0], *at[:6], at[5]], ways, [False] * 5)
    assert [(s.kind, round(s.metres)) for s in told] == [("go", 154), ("steps_straight", 51), ("straight", 51)]


def test_short_crossings_without_a_name_are_not_told(words):
    way, crossing = steps.Way("深汕路", "Shenshan Road", "road"), steps.Way("", "", "crossing")
    at = [(114.34 + n * .0002, 22.68) for n in range(7)]
    told = steps.steps(at, [way, way, crossing, way], [False] * 4)
    assert [(s.kind, round(s.metres)) for s in told] == [("begin", 21), ("go", 82), ("end", 21)]


@pytest.mark.parametrize(("metres", "said"), [
    (0, "10 m"), (14, "10 m"), (94, "90 m"), (96, "100 m"), (124, "100 m"), (126, "150 m"), (974, "950 m"), (976, "1.0 km"),
    (1049, "1.0 km"), (1260, "1.3 km"), (12345, "12.3 km"),
])
def test_distances_are_rounded_as_people_say_them(words, metres, said):
    assert steps.far(metres, phrases("en")) == said


@pytest.mark.parametrize(("before", "after", "side"), [
    (0, 90, "right"), (0, 270, "left"), (350, 20, "straight"), (20, 350, "straight"), (170, 260, "right"), (10, 280, "left"),
])
def test_left_is_left_across_north_too(before, after, side):
    middle = (114.34, 22.68)

    def away(towards, back=False):
        sign = -1 if back else 1
        return (middle[0] + sign * .001 * np.sin(np.radians(towards)) / np.cos(np.radians(22.68)),
                middle[1] + sign * .001 * np.cos(np.radians(towards)))

    one, two = steps.Way("甲路", "", "road"), steps.Way("乙路", "", "road")
    points = [away(before, True), away(before, True), middle, away(after), away(after)]
    assert steps.steps(points, [one, two], [False, False])[1].kind == side


@pytest.mark.parametrize("reason", ["outside", "obstruction", "no_way", "no_room", "no_shelter", "no_step_free"])
def test_without_a_way_people_are_told_what_to_do_instead(words, reason):
    answer = NoRoute(reason, shelter(7, (114.34, 22.68)) if reason == "no_room" else None)
    english, chinese = answer.words("en"), answer.words("zh")
    assert english[0] == "No safe route: stay where you are, go up to a higher floor, call 119."
    assert chinese[0] == "没有安全路线：请留在原地，往高处楼层转移，并拨打119求助。"
    assert english[1] != chinese[1]
    assert ("Shelter 7" in english[1]) == (reason == "no_room")
    assert "{" not in english[1] + chinese[1]


def test_tables_begin_at_crossings_that_people_know(words):
    graph = grid(8, 8)
    field = view(graph, facts(graph, [shelter(1, at_node(graph, 0))], [door(0, at_node(graph, 0))]))
    told = field.origins("440310001001")
    assert len(told) == 6
    assert len({zh for zh, *_ in told}) == 6
    zh, en, node, lon, lat = told[0]
    column, row = node % 8, node // 8
    assert zh == f"横{row + 1}路与纵{column + 1}路路口"
    assert en == f"Row {row + 1} Road and Column {column + 1} Road"
    assert (lon, lat) == at_node(graph, node)
    assert {0, 7, 56, 63} & {n for *_, n, _x, _y in told}
    assert field.origins("440310009999") == []


def test_the_registered_hours_of_the_entrance_are_told_where_it_is_not_always_open(words):
    graph = grid(3, 1)
    always, evening = door(0, at_node(graph, 0)), replace(door(0, at_node(graph, 0)), hours="08:00-22:00")
    told = [view(graph, facts(graph, [shelter(1, at_node(graph, 0))], [one])).route_from_node(2, WALK).words("en")
            for one in (always, evening)]
    assert told[1][:-1] == told[0]
    assert told[1][-1] == ("This entrance is registered as open 08:00-22:00. If it is closed, look for another or call the"
                           " shelter.")


def test_a_community_without_named_streets_has_a_middle(words):
    graph = grid(3, 3)
    graph = make(graph.lon, graph.lat, graph.a, graph.b)
    field = view(graph, facts(graph, [shelter(1, at_node(graph, 0))], [door(0, at_node(graph, 0))]))
    assert [(zh, en) for zh, en, *_ in field.origins("440310001001")] == [("社区中部", "Middle of the community")]


def test_coverage_counts_who_has_a_way_and_for_whom_no_place_is_kept():
    graph = grid(10, 1)
    cut = block(5.2, -.5, 5.8, .5, graph)  # four of ten are cut off
    places = [shelter(1, at_node(graph, 0), room=4)]
    field = view(graph, facts(graph, places, [door(0, at_node(graph, 0))], effects=[cut], people=np.ones(10)))
    covered = field.communities(WALK)["440310001001"]
    assert (covered.share, covered.tight, covered.nodes) == (pytest.approx(.6), pytest.approx(.2), 10)
    assert covered.median_minutes == pytest.approx(2.5 * 100.1 / 1.2 / 60, abs=.1)
