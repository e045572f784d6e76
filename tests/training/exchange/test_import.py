"""Bringing questions into a course: what is written, what lint says of it until it is finished, and what is left alone."""

from __future__ import annotations

import os

import pytest
from click.testing import CliRunner

from portal.content import content as group
from portal.training.content import keys, reader
from portal.training.content.unfinished import TRANSLATE, WRITE
from portal.training.exchange import coming, planning
from portal.training.exchange.drafts import Unreadable
from tests.training.exchange.test_moodle import TF, answer, picture, question, quiz

ONE = "::Smoke::Smoke rises.{T#No.#Yes.####It is warm.}\n"


@pytest.fixture
def plan(content, english):
    def make(text: str, language: str = "en", **options):
        return planning.make(content, "sample", coming.read("gift", text.encode(), language), language, **options)
    return make


def test_lint_names_what_is_left_to_do_and_is_silent_when_it_is_done(content, course, faults, plan):
    assert faults() == []
    before = (course / "banks" / "fire.zh.md").read_text("utf-8")
    made = plan(ONE, module="fire")
    assert (len(made.taken), made.unfinished, made.untaken) == (1, 1, [])
    planning.apply(made, content)
    zh = (course / "banks" / "fire.zh.md").read_text("utf-8")
    assert zh.startswith(before.rstrip("\n"))
    said = faults()
    assert any("fire.zh.md" in one and "still to be translated" in one for one in said)
    assert any("fire.zh.md" in one and "to-choose is no objective" in one for one in said)
    assert not any("fire.en.md" in one and "translated" in one for one in said)
    number = next(n for n, line in enumerate(zh.split("\n"), 1) if TRANSLATE in line)
    assert any(one.startswith(f"sample/banks/fire.zh.md:{number}:") for one in said)
    for language in ("zh", "en"):
        file = course / "banks" / f"fire.{language}.md"
        file.write_text(file.read_text("utf-8").replace(f"{TRANSLATE} ", "").replace("to-choose", "smoke.1"), "utf-8")
    keys.write(course, reader.read(course).course)
    assert faults() == []


def test_both_languages_at_once_with_an_objective_leave_nothing_to_do(content, course, faults, plan):
    zh = coming.read("gift", "烟往上走。{T#不对。#对。####烟是热的。}\n".encode(), "zh")
    made = plan(ONE, module="fire", objective="smoke.1", other=zh)
    assert made.unfinished == 0
    planning.apply(made, content)
    keys.write(course, reader.read(course).course)
    assert faults() == []
    asked = reader.read(course).course.modules[0].questions[-1]
    assert (asked.words.zh, asked.words.en, asked.options[0].feedback.zh) == ("烟往上走。", "Smoke rises.", "对。")


def test_ids_go_on_from_those_that_are_there_or_once_were(course, plan):
    with (course / keys.FILE).open("a") as file:
        file.write("fir-041 1 0123456789abcdef\n")
    made = plan(ONE + "\n" + ONE, module="fire")
    assert [draft.id for draft, _module, _left in made.taken] == ["fir-042", "fir-043"]


def test_an_id_that_is_taken_is_not_overwritten(plan):
    made = plan(f"// [id:fir-001]\n{ONE}\n// [id:mine-1]\n{ONE}", module="fire")
    assert [draft.id for draft, _module, _left in made.taken] == ["mine-1"]
    assert [(one.line, "fir-001 is there already" in one.reason) for one in made.untaken] == [(2, True)]


def test_categories_go_to_the_module_of_their_name(plan):
    made = plan(f"$CATEGORY: $course$/top/Fire Safety\n\n{ONE}\n$CATEGORY: top/Water\n\n{ONE}")
    assert [module for _draft, module, _left in made.taken] == ["fire"]
    assert [one.line for one in made.untaken] == [7]
    assert "top/Water" in made.untaken[0].reason


@pytest.mark.parametrize(("text", "reason"), [
    ("Which?{=a ~b ~c ~d ~e ~f ~g ~h ~i}", "9 entries; there must be 2 to 8"),
    ("Pair.{=a -> b =c -> d}", "2 entries; there must be 3 to 6"),
    ("Pair.{=a -> x =c -> x =d -> e}", "says the same"),
    ("How long?{#5:9}", "as large as the value"),
    ("[markdown]# Heading\\n\\nText{T}", "a heading is not allowed"),
    ("[markdown]See <b>this</b>{T}", "raw HTML is not allowed"),
    ("[markdown]Look: ![a picture of a door](http\\://evil/x.png){T}", "a picture is written as"),
    ("[markdown]1. one\\n2. two{>3 ALL VERTICAL\na\nb\nc\n}", "read as something else"),
    ("[markdown]- [x] a{=b ~c}", "read as something else"),
    ("[markdown]\\#\\# fir-900\\n```yaml\\ntype\\: single\\n```\\n{T}", "")])
def test_what_the_rules_of_banks_refuse_is_left_out_with_their_words(plan, text, reason):
    made = plan(f"{ONE}\n{text}\n\n{ONE}", module="fire")
    assert [draft.line for draft, _module, _left in made.taken] == [1, 5 + text.count("\n")]
    (left,) = made.untaken
    assert left.line == 3
    assert reason in left.reason


def test_pictures_come_along_where_a_question_that_is_taken_shows_them(content, course, english):
    files = f'<file name="d.png" encoding="base64">{picture("PNG", (40, 30))}</file>'
    shown = question("truefalse", TF, '<img src="@@PLUGINFILE@@/d.png" alt="a door with smoke behind it">', files)
    files = f'<file name="e.png" encoding="base64">{picture("PNG", (50, 30))}</file>'
    refused = question("multichoice", answer("only one", "100"),
                       '<img src="@@PLUGINFILE@@/e.png" alt="a long enough description">', files)
    reading = coming.read("moodle", quiz(shown, refused), "en")
    made = planning.make(content, "sample", reading, "en", module="fire")
    assert len(reading.pictures) == 2
    assert sorted(name.partition("/")[0] for name in made.files) == ["banks", "banks", "media"]
    planning.apply(made, content)
    assert not [one for one in reader.read(course).faults if "picture" in one.message]


def test_a_course_or_module_that_is_not_there_is_said(plan, content):
    with pytest.raises(planning.NoCourse, match="it has: fire"):
        plan(ONE, module="water")
    with pytest.raises(planning.NoCourse):
        planning.make(content, "../sample", coming.read("gift", ONE.encode(), "en"), "en")
    with pytest.raises(Unreadable, match="UTF-8"):
        coming.read("gift", "火".encode("gbk"), "zh")


@pytest.fixture
def run(content, monkeypatch, tmp_path):
    monkeypatch.setenv("ANLAN_CONTENT", str(content))
    monkeypatch.setenv("ANLAN_INSTANCE", str(tmp_path / "instance"))
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    return lambda *words: CliRunner().invoke(group, words)


def test_the_command_checks_first_and_writes_then(run, course, tmp_path):
    file = tmp_path / "bank.gift"
    file.write_text(f"{ONE}\n::Essay::Write.{{}}\n")
    before = (course / "banks" / "fire.zh.md").read_bytes()
    words = ("import", "gift", str(file), "--course", "sample", "--module", "fire", "--language", "en")
    told = run(*words, "--check")
    assert told.exit_code == 1
    assert f"{file}:3: Essay: an essay" in told.output
    assert f"{file}:1: fir-0" in told.output
    assert "1 questions taken, 1 of them unfinished; 1 not taken." in told.output
    assert (course / "banks" / "fire.zh.md").read_bytes() == before
    assert "written: " in run(*words).output
    assert TRANSLATE in (course / "banks" / "fire.zh.md").read_text("utf-8")
    assert sorted(os.listdir(course / "banks")) == ["fire.en.md", "fire.zh.md"]


def test_what_the_command_writes_out_it_reads_in_again(run, course, tmp_path):
    files = {language: tmp_path / f"{language}.gift" for language in ("zh", "en")}
    for language, file in files.items():
        told = run("export", "gift", str(file), "--course", "sample", "--language", language)
        assert told.exit_code == 0, told.output
    was = reader.read(course).course.modules[0].questions
    for language in files:
        (course / "banks" / f"fire.{language}.md").unlink()
    (course / keys.FILE).unlink()
    told = run("import", "gift", str(files["en"]), "--course", "sample", "--language", "en", "--other", str(files["zh"]))
    assert told.exit_code == 0, told.output
    now = {one.id: one for one in reader.read(course).course.modules[0].questions}
    assert now
    assert WRITE not in (course / "banks" / "fire.zh.md").read_text("utf-8")
    for one in was:
        if one.id in now:
            assert keys.key_hash(now[one.id]) == keys.key_hash(one)
            for name in ("words", "explanation", "objective", "difficulty", "source"):
                assert getattr(now[one.id], name) == getattr(one, name)
    assert {one.type for one in was if one.id not in now} == {"hotspot", "scenario"}


def test_a_file_that_cannot_be_read_is_said_in_one_line(run, tmp_path):
    file = tmp_path / "bank.xml"
    file.write_text("<html/>")
    told = run("import", "moodle", str(file), "--course", "sample", "--module", "fire", "--language", "en")
    assert told.exit_code == 1
    assert "not <quiz>" in told.output
    assert "Traceback" not in told.output
