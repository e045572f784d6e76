"""Files that are wrong on purpose: each is refused in words, in bounded time and memory."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from portal.training.content import markdown, yaml_text
from portal.training.content.faults import Fault, Notes
from portal.training.content.markdown import Picture
from portal.training.content.reader import read

ALL = ("course.yaml", "lessons/01-smoke.zh.md", "banks/fire.en.md", "practical/cpr.yaml")


def loaded(text: str) -> tuple[object, list[Fault]]:
    found: list[Fault] = []
    return yaml_text.load(text, Notes("x.yaml", found)), found


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(("body", "advice"), [
    (b"a: 1\n\xff\xfe\xfa", ":2: is not UTF-8 text"),
    (b"a: " + b"x" * 500_000, "is larger than 400 KB"),
    (b"a: 1\nb: \x00", ":2: has an invisible control character (U+0000)"),
    ("a: 1\nb: x\u202ey".encode(), ":2: has an invisible control character (U+202E)"),
    (b"", ""),
    (b"---", ""),
    (b"[" * 50_000, ""),
    (b"- " * 50_000, ""),
    (b"> " * 50_000, ""),
    (b"*_" * 50_000, ""),
    (b"![" * 20_000, ""),
    (b"|" * 100_000, ""),
    (b"## a\n" * 5_000, ""),
    (b"## a-1\n```yaml\n" * 2_000, ""),
])
def test_no_file_ends_the_reading(course: Path, faults: Callable, name: str, body: bytes, advice: str) -> None:
    (course / name).write_bytes(body)
    found = faults()
    assert [one for one in found if one.startswith(f"sample/{name}") and advice in one], found[:5]
    assert len(found) < 500


def test_a_link_out_of_the_course_is_not_followed(course: Path, faults: Callable, tmp_path: Path) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text((course / "lessons/01-smoke.zh.md").read_text().replace("弯腰、贴墙、向外走。", "SECRET"))
    for name in ("lessons/01-smoke.zh.md", "media/low.svg"):
        (course / name).unlink()
        (course / name).symlink_to(secret)
    found = faults()
    assert "sample/lessons/01-smoke.zh.md:1: is a link; put the file itself here" in found
    assert "sample/media/low.svg:1: is a link; put the file itself here" in found
    assert "SECRET" not in repr(read(course).course)


@pytest.mark.parametrize("name", ["Sample", "a b", "..x", "课程", "x" * 65])
def test_a_folder_whose_name_is_no_address_is_no_course(content: Path, course: Path, faults: Callable, name: str) -> None:
    course.rename(content / "courses" / name)
    if name.startswith("."):
        assert read(content / "courses" / name).course is None
    else:
        [found] = faults()
        assert "cannot be the name of a course" in found


@pytest.mark.parametrize(("text", "line", "advice"), [
    ("a: &x [1]\nb: *x", 1, "anchors (&) and aliases (*) are not allowed"),
    ("a: &a [x]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]", 1, "anchors (&) and aliases (*) are not allowed"),
    ("b: *x", 1, "anchors (&) and aliases (*) are not allowed"),
    ("a: 1\nb: !!python/object/apply:os.system [ls]", 2, "tags (!) are not allowed"),
    ("a: {b: {c: {d: {e: {f: {g: {h: {i: {}}}}}}}}}", 1, "is nested too deeply"),
    ("a: " + "[" * 100_000, 1, "is nested too deeply"),
    ("a: 1\na: 2", 2, "the key “a” stands twice"),
    ("? [1]\n: 2", 1, "a key must be a word"),
    ("a: 1\n  b: 2", 2, "the YAML cannot be read here"),
    ("a: " + "9" * 5000, 1, "a number or a date that cannot be read"),
    ("a: 2026-13-45", 1, "a number or a date that cannot be read"),
    ("- 1", 1, "must be a mapping of keys"),
    ("a", 1, "must be a mapping of keys"),
])
def test_yaml_that_unfolds_or_runs_is_refused_with_its_line(text: str, line: int, advice: str) -> None:
    tree, found = loaded(text)
    assert tree is None
    assert (found[0].line, advice in found[0].message) == (line, True), found


def test_lines_are_those_of_the_file() -> None:
    found: list[Fault] = []
    tree = yaml_text.load("a: 1\nb:\n  - x\n  - y\n", Notes("x.md", found), before=10)
    assert (tree.lines, tree["b"].lines) == ({"a": 11, "b": 12}, [13, 14])


@settings(max_examples=150)
@given(st.text(max_size=200) | st.lists(st.sampled_from(
    ["<script>", "<img src=x onerror=alert(1)>", "![", "](", "javascript:alert(1)", "../media/a.svg", ")", "[", "]", "\n\n", "<",
     ">", "|", "---", "`", "**", "烟", "&lt;", "https://a.example/", "data:text/html,x", '"', "'", "\\", "[a]: javascript:x",
     "<a:b@c>"]),
    max_size=30).map("".join))
@example("[词]()")
def test_whatever_is_written_the_html_is_safe(text: str) -> None:
    page = markdown.html(text, {"a.svg": Picture('/assets/"a".svg', 1, 1)})
    tags = re.findall(r"<\s*/?\s*([A-Za-z0-9]+)", page)
    assert {tag.lower() for tag in tags} <= {
        "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "em", "strong", "blockquote", "a", "img", "code", "pre",
        "table", "thead", "tbody", "tr", "th", "td", "div", "hr", "br"}
    for tag in re.findall(r"<[^>]*>", page):
        assert not re.search(r"\son\w+\s*=", re.sub(r'"[^"]*"', '""', tag)), tag
        for name, value in re.findall(r'\b(href|src)="([^"]*)"', tag):
            if name == "href":
                assert re.match(r"https?://[^/]|\.\./[a-z0-9_-]+/\Z|\.\./media/", value), tag
            else:
                assert value == "/assets/&quot;a&quot;.svg", tag


@pytest.mark.parametrize(("text", "shown"), [
    ("**注意：**先断电", "<strong>注意：</strong>先断电"),
    ("先**断电**，再救人", "先<strong>断电</strong>，再救人"),
    ("打**“119”**报警", "打<strong>“119”</strong>报警"),
    ("**（必做）**洗手", "<strong>（必做）</strong>洗手"),
    ("*轻轻*拍肩", "<em>轻轻</em>拍肩"),
    ("5*3 and 2*4", "5<em>3 and 2</em>4"),
    ("do **not** run", "do <strong>not</strong> run"),
])
def test_emphasis_beside_chinese_punctuation_is_emphasis(text: str, shown: str) -> None:
    assert markdown.inline(text) == shown
