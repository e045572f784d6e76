"""Each thing that may be wrong with a course is found, in its file, on its line, with advice."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

FIRE, EN_FIRE = "banks/fire.zh.md", "banks/fire.en.md"
SMOKE, EN_SMOKE = "lessons/01-smoke.zh.md", "lessons/01-smoke.en.md"
CPR, OUTLINE, PICTURE = "practical/cpr.yaml", "course.yaml", "media/low.svg"


def test_a_whole_course_has_no_faults(faults: Callable) -> None:
    assert faults() == []


@pytest.mark.parametrize(("name", "old", "new", "line", "advice"), [
    # banks: form
    (FIRE, "## fir-004\n", "## fir-003\n", 56, "fir-003 stands twice"),
    (FIRE, "## fir-004\n", "## Fir 4\n", 56, "a question's heading is its id"),
    (FIRE, "# 消防安全\n", "消防安全\n", 1, "only the title"),
    (FIRE, "## fir-001\n```yaml", "## fir-001\n```", 3, "under the heading stands a block ```yaml"),
    (FIRE, "## fir-004\n```yaml\ntype: ordering", "## fir-004\n```yaml\ntype: sorting", 58, "type: must be one of single,"),
    (FIRE, "## fir-001\n```yaml\ntype: single\ndifficulty: 1", "## fir-001\n```yaml\ntype: single\ndifficulty: 4", 6,
     "difficulty: must be a whole number from 1 to 3"),
    (FIRE, "## fir-001\n```yaml\ntype: single", "## fir-001\n```yaml\ntype: single\nimage: x", 6, "image: unknown key"),
    # banks: answers
    (FIRE, "- [x] 烟气", "- [ ] 烟气", 3, "exactly one option must be right ([x]); here 0 are"),
    (FIRE, "- [ ] 高温", "- [x] 高温", 3, "exactly one option must be right ([x]); here 2 are"),
    (FIRE, "- [ ] 打开所有的门", "- [x] 打开所有的门", 37, "at least one option must be right ([x]) and at least one wrong"),
    (FIRE, "- [ ] 对\n", "- [ ] 是\n", 20, "the two options are “对” and “错”, in this order"),
    (FIRE, "- [x] 错\n", "- [ ] 错\n", 20, "exactly one option must be right"),
    (FIRE, "- [ ] 高温", "- [] 高温", 12, "an option begins with “- [ ] ”"),
    (FIRE, "- [x] 烟气", "- [x] 高 温", 14, "says the same as another one above"),
    (FIRE, "  > 高温也危险，但烟气来得更快。\n", "", 12, "the option has no feedback"),
    (FIRE, "  > 高温也危险", "> 高温也危险", 13, "indent the feedback by two spaces"),
    (FIRE, "但烟气来得更快。", "但烟气来得更快。\n  再说一句", 14, "each line of the feedback begins with >"),
    (FIRE, "但烟气来得更快。", "但烟气来得更快。\n再说一句", 14, "does not belong to the list above"),
    (FIRE, "### 解析\n先防烟。", "", 3, "the explanation is missing; end the question with “### 解析”"),
    (FIRE, "火场里**最先**要防什么？", "", 3, "the question has no words"),
    (FIRE, "source: Sample guideline 2025\n", "", 92, "source: is missing"),
    (FIRE, "3. 压下压把", "3. 拔掉保险销", 67, "says the same as another one above"),
    (FIRE, "2. 对准火焰根部\n3. 压下压把\n", "", 56, "the question has 1 entries; there must be 3 to 7"),
    (FIRE, "|---|---|\n", "", 72, "the pairs stand in a table of two columns"),
    (FIRE, "| 纸张 | 用水 |", "| 纸张 | 用水 | 多 |", 85, "the table has two columns"),
    (FIRE, "| 纸张 | 用水 |", "| 纸张 | 先断电 |", 85, "says the same as another one above"),
    (FIRE, "tolerance: 0.5", "tolerance: 6", 98, "tolerance: is as large as the value itself"),
    (FIRE, "value: 5.5", "value: 五", 98, "value: must be a number from"),
    (FIRE, "value: 5.5", "value: .inf", 98, "value: must be a number from"),
    (FIRE, '["119", 火警119]', '["。 ！"]', 111, "is nothing but spaces and punctuation"),
    (FIRE, '["119", 火警119]', "[119]", 111, "accept: item 1 must be text; put it in quotes"),
    # banks: pictures with areas
    (FIRE, "y: 60, w: 100, h: 40", "y: 70, w: 100, h: 40", 128, "the area leaves the picture"),
    (FIRE, "y: 60, w: 100, h: 40", "y: 30, w: 100, h: 40", 128, "a right and a wrong area lie on each other"),
    (FIRE, "{id: below,", "{id: above,", 128, "above stands twice"),
    (FIRE, "right: true, feedback: 下方", "right: false, feedback: 下方", 126,
     "at least one area must be right and at least one wrong"),
    (FIRE, "alt: 走廊上方是浓烟，下方空气较清", "alt: 走廊", 125, "say what the picture shows, in at least 10 characters"),
    (FIRE, "image: ../media/low.svg", "image: ../media/high.svg", 124, "the picture media/high.svg is missing"),
    (FIRE, "image: ../media/low.svg", "image: https://example.org/x.svg", 124, "image: must be ../media/name.svg"),
    # banks: scenarios
    (FIRE, "(#burnt)", "(#lost)", 147, "a choice leads to “lost”, which is no node of this scenario"),
    (FIRE, "(#burnt)", "(#wait)", 152, "no choice leads to this node"),
    (FIRE, "### burnt\n", "### wait\n", 156, "wait stands twice"),
    (FIRE, "outcome: good\n", "outcome: best\n", 157, "the outcome must be one of good, fair, bad"),
    (FIRE, "outcome: good\n", "outcome: fair\n", 144, "at least one end must be “outcome: good”"),
    (FIRE, "outcome: bad\n", "", 152, "a node without choices is an end and begins with “outcome: good”"),
    (FIRE, "门把手是烫的。", "outcome: bad\n门把手是烫的。", 144, "a node with choices is no end; remove its outcome"),
    (FIRE, "outcome: bad\n你被烧伤。", "你被烧伤。\n\n- [回到门口](#burnt)\n  > 火更大了。", 152,
     "from this node no end can be reached; give it a way out"),
    (FIRE, "  > 热气冲了进来。\n", "", 147, "say under the choice what comes of it"),
    (FIRE, "你被烧伤。", "", 152, "the node has no words"),
    # both languages
    (EN_FIRE, "- [ ] The heat", "- [x] The heat", 3, "exactly one option must be right"),
    (EN_FIRE, "## fir-009", "## fir-010", 135, "fir-010 is not in the file of the other language"),
    (EN_FIRE, "type: truefalse", "type: single", 22, "the type is truefalse in the Chinese file"),
    (EN_FIRE, "- [ ] Open all doors", "- [x] Open all doors", 50, "is not what stands in line 50 of the Chinese file"),
    (EN_FIRE, "- [ ] Open all doors\n  > The smoke comes in.\n", "", 37, "the Chinese file has 3 entries here, this one 2"),
    (EN_FIRE, "value: 5.5, tolerance: 0.5", "value: 2.2, tolerance: 0.5", 98, "value: is 5.5 in the Chinese file"),
    (EN_FIRE, "y: 60, w: 100, h: 40", "y: 61, w: 100, h: 39", 128, "is not what stands in line 128 of the Chinese file"),
    (EN_FIRE, "(#burnt)\n  > Hot gas", "(#wait)\n  > Hot gas", 144, "is not what stands in line 144 of the Chinese file"),
    (EN_SMOKE, "### Close the door", "## Close the door", 23,
     "the headings are not those of the Chinese file (## ### there, ## ## here)"),
    (EN_SMOKE, "minutes: 45", "minutes: 40", 4, "minutes: is 45 in the Chinese file"),
    (EN_SMOKE, "id: smoke", "id: smokes", 2, "id: is smoke in the Chinese file"),
    (EN_SMOKE, "  - Can show how to leave bent low\n", "  - Can leave\n  - Can see\n", 5, "objectives: the Chinese file has 2"),
    (EN_SMOKE, "![Thick smoke fills the upper half of a corridor; a person walks bent along the wall](../media/low.svg)\n", "",
     15, "the Chinese file shows 1 pictures here"),
    # lessons
    (SMOKE, "---\nid: smoke", "id: smoke", 1, "a lesson begins with its front matter"),
    (SMOKE, "  - 能演示低姿撤离\n", "", 5, "objectives: has 1 items; there must be 2 to 5"),
    (SMOKE, "  - 关门能挡住烟气。\n", "  - 关门: 挡烟\n", 10, "key_points: item 2 must be text"),
    (SMOKE, "id: smoke", "id: extinguisher", None, "the id extinguisher is already that of"),
    (SMOKE, "## 为什么先防烟", "# 为什么先防烟", 15, "headings are ## or ###, not #"),
    (SMOKE, "> 弯腰", "长" * 6001 + "弯腰", 14, "the text has more than 18 KB"),
    (SMOKE, "> 弯腰", "> <b>弯腰</b>", 19, "raw HTML is not allowed"),
    (SMOKE, "### 关门", "<div>\n\n### 关门", 23, "raw HTML is not allowed"),
    (SMOKE, "[灭火器](../extinguisher/)", "[灭火器](../ladder/)", 30, "no lesson has the id ladder"),
    (SMOKE, "[灭火器](../extinguisher/)", "[灭火器](https://example.org/)", 30, "links to other sites stand in the sources"),
    (SMOKE, "[灭火器](../extinguisher/)", "[灭火器](javascript:alert)", 30, "links to other sites stand in the sources"),
    (SMOKE, "走廊上方是浓烟，下方空气较清，一个人弯腰贴墙前行", "走廊", 21, "say in the square brackets what the picture shows"),
    (SMOKE, "../media/low.svg", "https://example.org/low.svg", 21, "a picture is written as"),
    (SMOKE, "../media/low.svg", "../media/none.svg", 21, "the picture media/none.svg is missing"),
    (SMOKE, "**注意：**", "**注意： **", 17, "the marks of emphasis (**) do not pair here"),
    # course.yaml
    (OUTLINE, "id: sample", "id: other", 1, "id: must be the name of the folder, sample"),
    (OUTLINE, 'version: "2026.11"', "version: 2026.11", 2, "version: must be text; put it in quotes"),
    (OUTLINE, "theory: 2", "theory: 3", 6, "the lessons have 90 minutes in all, but 3 hours of theory are 135 minutes"),
    (OUTLINE, "draw: {fire: 5}", "draw: {fire: 9}", 9, "9 questions are drawn from fire, which has 8 that can be used"),
    (OUTLINE, "draw: {fire: 5}", "draw: {flood: 5}", 9, "flood is no module of this course"),
    (OUTLINE, "feedback: after_pass", "feedback: maybe", 9, "exam.feedback: must be one of never, after_pass, after_each"),
    (OUTLINE, '"01-smoke", "02-extinguisher"', '"02-extinguisher", "01-smoke"', 15, "01-smoke does not follow 02-extinguisher"),
    (OUTLINE, '["01-smoke", ', "[", None, "course.yaml does not name this file"),
    (OUTLINE, "practical: [cpr]", "practical: []", None, "course.yaml does not name this file"),
    (OUTLINE, "title: {zh: 示例课程, en: A sample course}", "title: 示例课程", 3, "title: must be words in both languages"),
    (OUTLINE, "practical: [cpr]", "practical: [cpr]\nrenewal: {skills: [aed]}", 11, "aed is not among the skills of"),
    (OUTLINE, "practical: [cpr]", "practical: [cpr]\nrenewal: {exam: false}", 11, "else it would renew itself"),
    (OUTLINE, "validity_months: 24", "renewal: {exam: true}", 7, "a certificate without end needs no renewal"),
    (OUTLINE, "pass_mark: 80", "pass_mark: 80\npass_mark: 90", 9, "the key “pass_mark” stands twice"),
    # practicals
    (CPR, "id: cpr", "id: aed", 1, "id: must be the name of the file, cpr"),
    (CPR, "id: call", "id: safe-scene", 8, "steps.2.id: safe-scene stands twice"),
    (CPR, "required: true}", "required: false}", 6, "steps: none is required"),
    (CPR, "source: {zh: 示例指南 2025, en: Sample guideline 2025}", "", 1, "source: is missing"),
    (CPR, "source: {zh: 示例指南 2025, en: Sample guideline 2025}", "source: Sample", 9, "source: must be words in both"),
    (CPR, "en: Sample guideline 2025}", "en: ''}", 9, "source.en: is empty"),
    # media
    (PICTURE, "<title>low</title>", "<script>alert(1)</script>", 2, "<script> is not allowed in a picture"),
    (PICTURE, "<title>low</title>", "<foreignObject/>", 2, "<foreignObject> is not allowed in a picture"),
    (PICTURE, "<title>low</title>", '<image href="https://example.org/x.png"/>', 2, "<image> is not allowed in a picture"),
    (PICTURE, "<title>low</title>", '<use href="https://example.org/x.svg#a"/>', 2, "a picture refers to nothing outside itself"),
    (PICTURE, "<title>low</title>", "<style>@import url(x.css);</style>", 2, "a picture refers to nothing outside itself"),
    (PICTURE, '<circle cx="150"', '<circle onclick="alert(1)" cx="150"', 5, "a picture has no scripts; remove onclick"),
    (PICTURE, ' viewBox="0 0 320 160"', "", 1, "<svg> needs a viewBox"),
    (PICTURE, "</svg>", "", None, "is no well-formed SVG"),
])
def test_a_fault_is_told_with_its_line(change: Callable, faults: Callable, name: str, old: str, new: str, line: int | None,
                                       advice: str) -> None:
    change(name, old, new)
    found = faults()
    assert [one for one in found if advice in one], "\n".join(found)
    if line is not None:
        assert [one for one in found if one.startswith(f"sample/{name}:{line}: ") and advice in one], "\n".join(found)


def test_an_objective_that_does_not_exist_is_told(course: Path, faults: Callable) -> None:
    for name in (FIRE, EN_FIRE):
        path = course / name
        path.write_text(path.read_text().replace("objective: smoke.1", "objective: smoke.3", 1))
    assert faults() == [f"sample/{FIRE}:7: objective: smoke.3 is no objective of a lesson; "
                        "it is written <lesson id>.<number from 1>"]


def test_a_number_that_would_be_shown_as_an_empty_list_is_told(change: Callable, faults: Callable) -> None:
    change(EN_FIRE, "\nThe number is 119.\n", "\n119.\n")
    assert faults() == [f"sample/{EN_FIRE}:116: a list item is empty; also a number with nothing but a full stop behind it "
                        "begins a list: add words"]


@pytest.mark.parametrize(("longest", "told"), [(5, []), (6, ["en"])])
def test_a_bank_whose_right_options_are_told_by_their_length_is_named(course: Path, faults: Callable, longest: int,
                                                                      told: list[str]) -> None:
    """With the sample's own, whose right option is the longer one in English only, it is 6 and 7 of 9 there."""
    words = {"zh": ("解析", "提问", "对", "不长也不短"), "en": ("Explanation", "Asked", "Right", "neither long nor short")}
    for language, (heading, asked, why, long) in words.items():
        path = course / f"banks/fire.{language}.md"
        made = [f"\n## len-{n}\n```yaml\ntype: single\ndifficulty: 1\nobjective: smoke.1\nrev: 1\n```\n{asked} {n}\n\n"
                f"- [{'x' if n < longest else ' '}] {long}\n  > {why}\n- [{' ' if n < longest else 'x'}] {n}\n  > {why}\n\n"
                f"### {heading}\n{why}\n"
                for n in range(8)]
        path.write_text(path.read_text() + "".join(made))
    found = [one for one in faults() if "can be guessed" in one]
    assert [one.partition(" single-choice")[0] for one in found] == [
        f"sample/banks/fire.{language}.md:1: in 7 of 9" for language in told]


def test_an_id_that_two_banks_use_is_told(course: Path, change: Callable, faults: Callable) -> None:
    change(OUTLINE, '    lessons: ["01-smoke", "02-extinguisher"]', '    lessons: ["01-smoke"]\n  - id: flood\n'
           '    title: {zh: 防汛, en: Floods}\n    lessons: ["02-extinguisher"]')
    for language in ("zh", "en"):
        text = (course / f"banks/fire.{language}.md").read_text()
        (course / f"banks/flood.{language}.md").write_text(text[: text.index("## fir-002")])
    assert faults() == ["sample/banks/flood.zh.md:3: the id fir-001 is already used in the bank fire"]


def test_a_picture_that_nobody_shows_is_told(course: Path, faults: Callable) -> None:
    (course / "media" / "more.svg").write_bytes((course / PICTURE).read_bytes())
    assert faults() == ["sample/media/more.svg:1: no lesson and no question shows this picture; use or remove it"]


@pytest.mark.parametrize(("name", "body", "advice"), [
    ("big.svg", b"<svg>" + b" " * 61_000, "at most 60 KB"),
    ("big.png", b"\x89PNG" + b"0" * 151_000, "at most 150 KB"),
    ("false.png", b"GIF89a", "is no PNG file"),
    ("false.webp", b"RIFF0000AVI ", "is no WebP file"),
    ("Big.SVG", b"", "pictures are svg, png or webp"),
    ("film.gif", b"GIF89a", "pictures are svg, png or webp"),
    ("entity.svg", b'<!DOCTYPE svg [<!ENTITY a "b">]><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">&a;</svg>',
     "an SVG here has no DOCTYPE"),
    ("style.svg", b'<?xml-stylesheet href="x.css"?><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"/>',
     "an SVG here has no processing instructions"),
])
def test_a_picture_that_must_not_be_shown_is_told_and_not_read(course: Path, faults: Callable, name: str, body: bytes,
                                                                advice: str) -> None:
    (course / "media" / name).write_bytes(body)
    found = [one for one in faults() if one.startswith(f"sample/media/{name}:")]
    assert any(advice in one for one in found), found
    from portal.training.content import reader

    assert name not in reader.read(course).course.media


@pytest.mark.parametrize("name", [SMOKE, EN_SMOKE, FIRE, EN_FIRE, CPR, OUTLINE])
def test_a_missing_file_is_told(course: Path, faults: Callable, name: str) -> None:
    (course / name).unlink()
    assert f"sample/{name}:1: is missing" in faults()


def test_all_faults_are_told_at_once(change: Callable, faults: Callable) -> None:
    change(FIRE, "- [x] 烟气", "- [ ] 烟气")
    change(EN_SMOKE, "minutes: 45", "minutes: 40")
    change(CPR, "id: cpr", "id: aed")
    files = [re.sub(r":\d+: .*", "", one) for one in faults()]
    assert set(files) >= {f"sample/{FIRE}", f"sample/{EN_SMOKE}", f"sample/{CPR}"}
