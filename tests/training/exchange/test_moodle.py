"""Moodle's XML: what each type becomes, what is refused by line, and what a hostile file cannot do."""

from __future__ import annotations

import io
from base64 import b64encode
from decimal import Decimal

import pytest
from PIL import Image

from portal.training.exchange import moodle, pictures
from portal.training.exchange.drafts import Option, Unreadable

pytestmark = pytest.mark.usefixtures("english")


def quiz(*questions: str) -> bytes:
    return ("<?xml version='1.0' encoding='UTF-8'?>\n<quiz>\n" + "\n".join(questions) + "\n</quiz>").encode()


def question(kind: str, inside: str = "", words: str = "<p>What?</p>", files: str = "") -> str:
    return (f'<question type="{kind}"><name><text>Q</text></name><questiontext format="html"><text><![CDATA[{words}]]></text>'
            f"{files}</questiontext><generalfeedback format='html'><text>&lt;p&gt;Because.&lt;/p&gt;</text></generalfeedback>"
            f"{inside}</question>")


def answer(text: str, fraction: str = "0", feedback: str = "", more: str = "") -> str:
    return (f'<answer fraction="{fraction}" format="html"><text><![CDATA[{text}]]></text><feedback format="html"><text><![CDATA['
            f"{feedback}]]></text></feedback>{more}</answer>")


TF = answer("true", "100") + answer("false")


def one(given: str):
    reading = moodle.read(quiz(given), "en")
    assert reading.untaken == []
    (draft,) = reading.drafts
    return draft


def test_options_one_or_several_right():
    rest = answer("<b>a</b>", "100", "<p>Yes.</p>") + answer("b", "0", "No.")
    draft = one(question("multichoice", "<single>true</single><idnumber>fire-9</idnumber>" + rest))
    assert (draft.type, draft.words, draft.explanation, draft.id) == ("single", "What?", "Because.", "fire-9")
    assert draft.options == (Option("**a**", "Yes.", True), Option("b", "No.", False))
    draft = one(question("multichoice", "<single>false</single>" + answer("a", "50") + answer("b", "50") + answer("c", "-50")))
    assert (draft.type, [o.right for o in draft.options], draft.notes) == ("multiple", [True, True, False], ())


def test_true_false_pairs_order_number_and_text():
    draft = one(question("truefalse", answer("true", "0", "No.") + answer("false", "100", "Yes.")))
    assert draft.options == (Option("True", "No.", False), Option("False", "Yes.", True))
    pairs = "".join(f"<subquestion format='html'><text>{a}</text><answer><text>{b}</text></answer></subquestion>"
                    for a, b in [("A", "1*"), ("B", "2"), ("C", "3"), ("", "4")])
    draft = one(question("matching", pairs))
    assert draft.pairs == (("A", "1\\*"), ("B", "2"), ("C", "3"))
    assert "1 right-hand sides" in draft.notes[0]
    assert one(question("ordering", answer("x", "1.0") + answer("y", "1.0") + answer("z", "1.0"))).items == ("x", "y", "z")
    draft = one(question("numerical", answer("5.5", "100", more="<tolerance>0.5</tolerance>") + answer("*", "0", "No.")
                         + "<units><unit><multiplier>1</multiplier><unit_name>cm</unit_name></unit></units>"))
    assert (draft.value, draft.tolerance, draft.unit) == (Decimal("5.5"), Decimal("0.5"), ("", "cm"))
    assert one(question("shortanswer", answer("AED", "100") + answer("defib*", "100"))).accept == ("AED",)


@pytest.mark.parametrize(("kind", "reason"), [
    ("essay", "mark it"), ("cloze", "several gaps"), ("calculated", "worked out anew"), ("description", "asks nothing"),
    ("ddmarker", "by hand"), ("random", "a draw"), ("stack", "no such type here: stack")])
def test_what_has_no_form_here_is_named_with_its_line(kind, reason):
    reading = moodle.read(quiz(question("truefalse", TF), question(kind)), "en")
    assert len(reading.drafts) == 1
    (left,) = reading.untaken
    assert (left.line, left.name) == (4, "Q")
    assert reason in left.reason


def picture(kind: str, size: tuple[int, int]) -> str:
    target = io.BytesIO()
    Image.effect_noise(size, 90).convert("RGB").save(target, kind)
    return b64encode(target.getvalue()).decode()


def test_a_picture_within_the_file_becomes_a_small_medium_and_its_words_are_asked_for():
    files = f'<file name="a b.jpg" path="/" encoding="base64">{picture("JPEG", (1600, 1200))}</file>'
    given = question("truefalse", TF, '<p>Look:</p><img src="@@PLUGINFILE@@/a%20b.jpg" alt="x">', files)
    reading = moodle.read(quiz(given), "en")
    ((name, body),) = reading.pictures.items()
    assert f"![[[write]] x](../media/{name})" in reading.drafts[0].words
    assert len(body) <= 150_000
    with Image.open(io.BytesIO(body)) as shown:
        assert (shown.format, shown.width <= 1200) == ("WEBP", True)


@pytest.mark.parametrize("source", ["http://evil.example/x.png", "file:///etc/passwd", "@@PLUGINFILE@@/missing.png",
                                    "//evil/x.svg", "data:image/png;base64,AAAA",
                                    "data:image/svg+xml;base64," + b64encode(b'<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>').decode()])
def test_no_picture_is_fetched_and_none_that_does_something_is_kept(source):
    reading = moodle.read(quiz(question("truefalse", TF, f'<img src="{source}" alt="door">')), "en")
    assert reading.pictures == {}
    assert reading.drafts[0].words == "door"
    assert "img" in reading.drafts[0].notes[0]


def test_a_picture_that_swells_is_refused():
    target = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(target, "PNG")
    files = f'<file name="a.png" encoding="base64">{b64encode(target.getvalue()).decode()}</file>'
    given = question("truefalse", TF, '<img src="@@PLUGINFILE@@/a.png" alt="">x', files)
    assert moodle.read(quiz(given), "en").pictures == {}


def test_a_picture_that_is_shown_a_thousand_times_is_made_small_once_and_all_together_have_a_limit(monkeypatch):
    drawn = []
    monkeypatch.setattr(pictures, "_small", lambda shown: drawn.append(shown.size) or ("webp", repr(shown.size).encode()))
    first, second = picture("PNG", (60, 40)), picture("PNG", (2, 1))
    files = f'<file name="a.png" encoding="base64">{first}</file>'
    given = question("truefalse", TF, '<img src="@@PLUGINFILE@@/a.png" alt="a door">' * 1000, files)
    reading = moodle.read(quiz(given, given), "en")
    assert drawn == [(60, 40)]
    assert len(reading.pictures) == 1
    monkeypatch.setattr(pictures, "MOST_PIXELS_IN_ALL", 60 * 40 + 1)
    assert len(moodle.read(quiz(given, given.replace(first, second)), "en").pictures) == 1


def test_tables_within_tables_are_read_once_each():
    draft = one(question("truefalse", TF, "<table><tr><td>x" * 38))
    assert draft.words.count("x") == 38


@pytest.mark.parametrize(("body", "reason"), [
    (b"<!DOCTYPE quiz [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><quiz><question type='essay'><name><text>&x;</text></name>"
     b"</question></quiz>", "DOCTYPE"),
    (b"<!DOCTYPE q [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>]><quiz>&b;</quiz>", "DOCTYPE"),
    (b"<html/>", "not <quiz>"), (b"<quiz>", "well-formed"), (b"", "well-formed"),
    (b"<quiz>" + b"<a>" * 5000 + b"</a>" * 5000 + b"</quiz>", "well-formed")])
def test_a_file_that_reaches_out_or_swells_is_refused_whole(body, reason):
    with pytest.raises(Unreadable) as refused:
        moodle.read(body, "en")
    assert reason in refused.value.reason


def test_html_as_it_comes():
    words = ("<div><h3>Fire</h3><ul><li>one</li><li>two <b> three </b></li></ul><table><tr><th>a</th><th>b</th></tr><tr>"
             "<td>1|2</td><td>x</td></tr></table>H<sub>2</sub>O, m<sup>2</sup><br>next &lt;line&gt; *not* emphasis<br></div>")
    draft = one(question("truefalse", TF, words))
    assert draft.words == ("**Fire**\n\n- one\n- two **three**\n\n| a | b |\n|---|---|\n| 1\\|2 | x |\n\n"
                           "H₂O, m²\\\nnext \\<line\\> \\*not\\* emphasis")
