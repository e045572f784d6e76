"""No answer key changes unseen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from portal.cli import main
from portal.training.content import keys
from portal.training.content.lint import lint
from portal.training.content.reader import read

FIRE = ("banks/fire.zh.md", "banks/fire.en.md")


@pytest.fixture
def both(course: Path) -> Callable[[str, str, str, str], None]:
    """Replaces in the Chinese and in the English bank."""

    def replace(zh: str, new_zh: str, en: str, new_en: str) -> None:
        for name, old, new in zip(FIRE, (zh, en), (new_zh, new_en), strict=True):
            text = (course / name).read_text(encoding="utf-8")
            assert old in text
            (course / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return replace


CHANGES = [
    ("- [ ] 高温\n  > 高温也危险，但烟气来得更快。\n- [x] 烟气", "- [x] 高温\n  > 高温也危险，但烟气来得更快。\n- [ ] 烟气",
     "- [ ] The heat\n  > Heat is dangerous too, but smoke is faster.\n- [x] The smoke",
     "- [x] The heat\n  > Heat is dangerous too, but smoke is faster.\n- [ ] The smoke", "fir-001"),
    ("- [x] 烟气", "- [x] 坠物", "- [x] The smoke", "- [x] What falls down", "fir-001"),
    ("1. 拔掉保险销\n2. 对准火焰根部", "1. 对准火焰根部\n2. 拔掉保险销", "1. Pull the pin\n2. Aim at the base of the flames",
     "1. Aim at the base of the flames\n2. Pull the pin", "fir-004"),
    ("| 油锅 | 盖上锅盖 |\n| 电器 | 先断电 |", "| 油锅 | 先断电 |\n| 电器 | 盖上锅盖 |",
     "| A pan of oil | Put the lid on |\n| An appliance | Cut the power first |",
     "| A pan of oil | Cut the power first |\n| An appliance | Put the lid on |", "fir-005"),
    ("tolerance: 0.5", "tolerance: 1", "tolerance: 0.5", "tolerance: 1", "fir-006"),
    ('["119", 火警119]', '["119"]', "Fire safety", "Fire safety", "fir-007"),
    ("h: 40, label: 上方", "h: 30, label: 上方", "h: 40, label: Above", "h: 30, label: Above", "fir-008"),
    ("(#burnt)\n  > 热气冲了进来。\n- [不开门，堵门缝](#wait)", "(#wait)\n  > 热气冲了进来。\n- [不开门，堵门缝](#burnt)",
     "(#burnt)\n  > Hot gas comes in.\n- [Keep it closed and fill the gap](#wait)",
     "(#wait)\n  > Hot gas comes in.\n- [Keep it closed and fill the gap](#burnt)", "fir-009"),
]


@pytest.mark.parametrize(("zh", "new_zh", "en", "new_en", "name"), CHANGES)
def test_a_changed_key_needs_a_higher_rev(both: Callable, course: Path, faults: Callable, content: Path, zh: str, new_zh: str,
                                          en: str, new_en: str, name: str) -> None:
    both(zh, new_zh, en, new_en)
    [found] = faults()
    assert f"what is right in {name} has changed; set rev: 2 in both languages" in found
    lock = (course / keys.FILE).read_bytes()
    lint(content, write_keys=True)
    assert (course / keys.FILE).read_bytes() == lock, "writing the keys must not hide a changed key"
    for path in FIRE:
        before, after = (course / path).read_text().split(f"## {name}\n")
        (course / path).write_text(before + f"## {name}\n" + after.replace("rev: 1", "rev: 2", 1))
    assert faults() == [f"sample/{keys.FILE}:1: 1 questions are new or have a new revision; run: anlan content lint --write-keys"]
    assert lint(content, write_keys=True)[1] == []
    assert faults() == []


@pytest.mark.parametrize(("zh", "new_zh", "en", "new_en"), [
    ("火场里**最先**要防什么？", "火场里，**最先**要防的是什么？", "What comes **first** in a fire?", "What comes first?"),
    ("  > 对，多数人先被烟气所伤。", "  > 对，烟气先到。", "  > Right: most", "  > Yes: most"),
    ("- [ ] 高温", "- [ ] 高温和热浪", "- [ ] The heat", "- [ ] Heat"),
    ("先防烟。", "烟气先到，先防烟。", "Smoke first.", "The smoke comes first."),
    ("- [x] 烟气", "- [x]  烟 气", "- [x] The smoke", "- [x] Smoke"),
])
def test_better_words_need_no_higher_rev(both: Callable, faults: Callable, zh: str, new_zh: str, en: str, new_en: str) -> None:
    both(zh, new_zh, en, new_en)
    assert faults() == []


def test_rev_never_goes_back_and_a_removed_id_stays_known(both: Callable, course: Path, faults: Callable, content: Path) -> None:
    both("rev: 1", "rev: 3", "rev: 1", "rev: 3")
    lint(content, write_keys=True)
    both("rev: 3", "rev: 2", "rev: 3", "rev: 2")
    assert faults() == ["sample/banks/fire.zh.md:3: rev was 3 before and cannot go back"]
    both("## fir-001", "## fir-101", "## fir-001", "## fir-101")
    lint(content, write_keys=True)
    lines = (course / keys.FILE).read_text().splitlines()
    assert [line for line in lines if line.startswith("fir-001 3 ")]
    assert [line for line in lines if line.startswith("fir-101 2 ")]


def test_a_damaged_lock_is_told(course: Path, faults: Callable) -> None:
    path = course / keys.FILE
    path.write_text(path.read_text().replace("fir-002 1", "fir-002 eins"))
    assert any(one.startswith(f"sample/{keys.FILE}:3: cannot be read; restore the file") for one in faults())


def test_the_lock_depends_on_nothing_but_the_banks(course: Path) -> None:
    before = (course / keys.FILE).read_bytes()
    (course / keys.FILE).unlink()
    assert keys.write(course, read(course).course)
    assert (course / keys.FILE).read_bytes() == before
    assert not keys.write(course, read(course).course)


def _command(content: Path, monkeypatch: pytest.MonkeyPatch, *options: str, language: str = "en_US.UTF-8") -> tuple[int, str]:
    monkeypatch.setenv("ANLAN_CONTENT", str(content))
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", language)
    done = CliRunner().invoke(main, ["content", "lint", *options])
    return done.exit_code, done.output


def test_the_command_says_what_is_wrong_in_the_language_of_the_terminal(content: Path, change: Callable,
                                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = _command(content, monkeypatch)
    assert code == 0, said
    assert "1 courses" in said.splitlines()[-1]
    assert said.splitlines()[-1].endswith(" 0 problems")
    change("banks/fire.zh.md", "- [x] 烟气", "- [ ] 烟气")
    code, said = _command(content, monkeypatch)
    assert code == 1
    assert f"{content}/courses/sample/banks/fire.zh.md:3: exactly one option must be right" in said
    code, said = _command(content, monkeypatch, language="zh_CN.UTF-8")
    assert code == 1
    assert "fire.zh.md:3: 必须恰好有一个选项正确" in said


def test_the_command_writes_the_keys(content: Path, course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (course / keys.FILE).unlink()
    code, said = _command(content, monkeypatch)
    assert code == 1
    assert "9 questions are new" in said
    assert _command(content, monkeypatch, "--write-keys")[0] == 0
    assert len((course / keys.FILE).read_text().splitlines()) == 10
