"""Chinese words, English words and both together find what is meant, in one way on the server and on the phone."""

import json
import subprocess
from pathlib import Path

import brotli
import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.guides.search import documents, words
from portal.guides.search.index import GUIDE, SHELTER, Document, Index
from portal.guides.search.results import excerpt, marked, results
from portal.site.publish import root_of
from tests.node import node

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    Document(GUIDE, "/t/", "台风", "打风", "台风来之前收回阳台的花盆，停课期间留在家里。"),
    Document(GUIDE, "/r/", "暴雨和内涝 Rainstorm", "水浸", "地下车库进水，人先走。Dial 119 for typhoons too."),
    Document(GUIDE, "/g/", "燃气泄漏", "煤气", "闻到燃气味，开窗，不碰开关。"),
    Document(SHELTER, "/s/", "六联小学", "避难场所 应急避难", "六联路5号 坪山街道"),
]


def found(query: str) -> list[str]:
    return [hit.document.path for hit in Index(DOCUMENTS).find(query)]


@pytest.mark.parametrize(("query", "paths"), [
    ("台风", ["/t/"]), ("台风怎么办", ["/t/"]), ("煤气", ["/g/"]), ("水浸", ["/r/"]), ("地下车库", ["/r/"]), ("避难所", ["/s/"]),
    ("六联", ["/s/"]), ("typhoon", ["/r/"]), ("TYPHOONS", ["/r/"]), ("rain", ["/r/"]), ("ｒａｉｎ", ["/r/"]), ("119", ["/r/"]),
    ("暴雨 rainstorm", ["/r/"]), ("燃气rainstorm", ["/r/", "/g/"]), ("足球比赛", []), ("xyzzy", []), ("", []), ("?!", []),
    ("雨", ["/r/"]), ("what to do in a typhoon", ["/r/"]), ("风", ["/t/"]),
])
def test_words_find_what_is_meant(query: str, paths: list[str]):
    assert sorted(found(query)) == sorted(paths)


def test_a_word_of_the_title_comes_before_one_of_the_text():
    index = Index([Document(GUIDE, "/text/", "别的", "", "说到台风"), Document(GUIDE, "/title/", "台风", "", "别的")])
    assert [hit.document.path for hit in index.find("台风")] == ["/title/", "/text/"]


def test_what_was_asked_is_marked_and_the_rest_is_the_text_as_it_was():
    assert marked("防台风Typhoon", words.asked("台风 typhoons")) == [("防", False), ("台风Typhoon", True)]
    pieces = excerpt("甲" * 80 + "闻到燃气味" + "乙" * 80, words.asked("燃气"), "zh")
    assert ("燃气", True) in pieces
    assert pieces[0] == pieces[-1] == ("…", False)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=80), st.text(max_size=40))
def test_marking_loses_and_adds_nothing_and_no_question_breaks_the_search(text: str, query: str):
    assert "".join(piece for piece, _ in marked(text, words.asked(query))) == text
    assert len(words.fold(text)) == len(text)
    for group in results(Index([*DOCUMENTS, Document(GUIDE, "/x/", text, "", text)]), query, "zh"):
        assert group.results


def test_the_files_for_phones_are_small_and_come_back_as_they_were(site: Flask):
    root = root_of(site.extensions["anlan"]) / "current" / "search"
    for language in ("zh", "en"):
        body = (root / f"{language}.json").read_bytes()
        assert len(brotli.compress(body, quality=5)) < 150_000
        loaded = documents.load(body)
        assert documents.dump(loaded) == body
        assert {d.kind for d in loaded} == {"guide", "shelter", "community"}


def test_a_file_that_is_none_of_ours_is_refused():
    for body in (b"[]", b"{}", b"nonsense", b'{"kinds": [], "documents": [[0, 1]]}'):
        with pytest.raises(ValueError, match=r"not an index|Expecting value"):
            documents.load(body)


def test_the_phone_finds_the_same_in_the_same_order(site: Flask, tmp_path: Path):
    root = root_of(site.extensions["anlan"]) / "current" / "search"
    # A rare character is two units of JavaScript's strings.
    rare = [Document(SHELTER, f"/{n}/", "𬒗岗小学", "", "𬒗" * n + " 龙王 water " + "𠮷" * 200) for n in (1, 40)]
    asked = {"zh": ["台风", "台风怎么办", "燃气泄漏", "六联", "水", "避难所", "地下车库 进水", "119", "煤气gas", "龙王", "礼堂",
                    "𬒗岗"],
             "en": ["typhoons", "what to do in a flood", "gas leak", "school", "water", "heat stroke", "liulian", "zzz",
                    "rain-storm"]}
    script = """
const s = require(process.argv[1]), fs = require('fs'), [body, queries, language] = process.argv.slice(2);
const docs = s.documentsOf(JSON.parse(fs.readFileSync(body))), find = s.makeIndex(docs);
console.log(JSON.stringify(JSON.parse(queries).map(q => find(q).map(h => [h.document.path,
  s.marked(h.document.title, s.asked(q)), s.excerpt(h.document.text, s.asked(q), language)]))));
"""
    for language, queries in asked.items():
        body = tmp_path / f"{language}.json"
        body.write_bytes(documents.dump([*documents.load((root / f"{language}.json").read_bytes()), *rare]))
        done = subprocess.run([node(), "-e", script, str(ROOT / "portal/guides/static/search.js"), str(body), json.dumps(queries),
                               language], capture_output=True, text=True, check=True, timeout=60)
        index = Index(documents.load(body.read_bytes()))
        ours = [[[d.path, marked(d.title, words.asked(q)), excerpt(d.text, words.asked(q), language)]
                 for d in (hit.document for hit in index.find(q))] for q in queries]
        assert json.loads(done.stdout) == json.loads(json.dumps(ours))
