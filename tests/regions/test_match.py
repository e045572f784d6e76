"""A place is found by whatever people type for it, and where it is doubtful somebody is asked."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import opencc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal import create_app
from portal.config import Settings
from portal.core.db import db
from portal.regions import demo, lookup
from portal.regions.match import find, one_slip, the_one

KENGZI, KENGZI_COMMUNITY, PINGHUAN, XIUXIN = "440310005000", "440310005001", "440310002001", "440310005002"


@pytest.fixture(scope="module", autouse=True)
def tree(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The demonstration district, once for all of these: nothing here writes."""
    folder = tmp_path_factory.mktemp("match")
    shutil.copy(sqlite_template, folder / "anlan.db")
    app = create_app(Settings(instance=folder, database_url=f"sqlite:///{folder / 'anlan.db'}", secret_key="test " * 10,
                              phone_key="ab" * 32))
    with app.app_context():
        demo.seed()
        yield
        db.engine.dispose()


def meant(text: str) -> str | None:
    found = the_one(find(text))
    return found.code if found else None


@pytest.mark.parametrize("text", [
    "440310005000", "440310005", "坑梓", "坑 梓", "坑梓街道", "坑梓街", "坑梓镇", "Kengzi", "KENGZI", "kēng zǐ", "keng1 zi3",
    "keng'zi", "ｋｅｎｇｚｉ", "Kengzi Subdistrict", "坑子", "坑仔", "kenzi", "kengzy", "kegnzi", "kengzzi",
    "深圳市坪山区坑梓街道人民路12号",
])
def test_a_street_is_found_by_code_name_pinyin_sound_slip_and_address(text: str) -> None:
    assert meant(text) == KENGZI


@pytest.mark.parametrize(("text", "code"), [
    ("坑梓社区", KENGZI_COMMUNITY), ("坑梓社區", KENGZI_COMMUNITY), ("坑梓村", KENGZI_COMMUNITY),
    ("坑梓居委會", KENGZI_COMMUNITY), ("坪環", PINGHUAN), ("坪還", PINGHUAN), ("Pinghuan", PINGHUAN), ("pinhuan", PINGHUAN),
    ("坑梓街道秀新", XIUXIN),
    ("坪山区坑梓街道秀新社区", XIUXIN), ("坑梓街道秀新社区人民路12号", XIUXIN), ("kengzi xiuxin", XIUXIN), ("秀心", XIUXIN),
    ("坪山", "440310001000"), ("坪山区", "440310000000"), ("坪山新区", "440310000000"), ("沙塘", "440310002004"),
    ("竹坑", "440310006003"), ("zukeng", "440310006003"), ("沙福", "440310003003"),
])
def test_the_kind_of_place_and_what_it_lies_in_are_heeded(text: str, code: str) -> None:
    assert meant(text) == code


@pytest.mark.parametrize("text", ["坑", "kz", "坑樟", "金沙滩", "坑梓和平路3号", "坪环街道", "bonded zone"])
def test_a_likeness_is_shown_and_not_taken_for_granted(text: str) -> None:
    found = find(text)
    assert found
    assert the_one(found) is None


@pytest.mark.parametrize("text", ["", "   ", "0", "4", "你好", "abc", "💥", "。，！", "\x00", "9" * 60, "x" * 5000, "坑" * 5000])
def test_what_is_like_no_place_finds_none(text: str) -> None:
    assert the_one(find(text)) is None
    assert len(find(text, 3)) <= 3


def test_two_places_of_one_name_that_do_not_hold_each_other_are_asked_about() -> None:
    one, other = find("沙田")[0], find("老坑")[0]
    assert the_one([one, other]) is None
    assert the_one([one]) == one
    assert the_one([]) is None


_WRITTEN = opencc.OpenCC("s2t").convert


@settings(max_examples=40)
@given(st.data())
def test_every_place_is_found_however_its_name_is_written(data: st.DataObject) -> None:
    snapshot = lookup.current()
    node = snapshot.nodes[data.draw(st.sampled_from(snapshot.order))]
    text = data.draw(st.sampled_from([node.name_zh, _WRITTEN(node.name_zh), node.name_en, node.pinyin, node.code]))
    changes = [str, str.upper, str.title, _wide, lambda t: t.replace(" ", ""), lambda t: f"  {t}。"]
    text = data.draw(st.sampled_from(changes))(text)
    assert meant(text) == node.code


def _wide(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


@settings(max_examples=40)
@given(st.data())
def test_one_slip_in_letters_still_finds_the_place(data: st.DataObject) -> None:
    snapshot = lookup.current()
    streets = [c for c in snapshot.order if snapshot.nodes[c].level == "street" and len(snapshot.nodes[c].name_zh) == 4]
    node = snapshot.nodes[data.draw(st.sampled_from(streets))]
    name = "".join(node.pinyin.split()[:2])
    place = data.draw(st.integers(1, len(name) - 1))
    letter = data.draw(st.sampled_from("abcdefghijklmnopqrstuwxyz"))
    typed = data.draw(st.sampled_from([name[:place] + name[place + 1:], name[:place] + letter + name[place:],
                                       name[:place] + letter + name[place + 1:]]))
    assert typed == name or one_slip(typed, name)
    if not any("".join(n.pinyin.split()[:2]) == typed for n in snapshot.nodes.values()):
        assert find(typed, 40)


@settings(max_examples=40)
@given(st.text(max_size=80))
def test_no_text_breaks_it(text: str) -> None:
    assert len(find(text)) <= 5
