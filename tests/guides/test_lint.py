"""What is wrong with a guide is told where it stands; the committed guides are right."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask
from flask_babel import force_locale

from portal.cli import main
from portal.core import i18n
from portal.guides import reader
from portal.guides.values import GROUPS, TICKS
from portal.warnings import hazards
from tests.guides.conftest import CONTENT

#: What the encyclopedia must have a guide for.
WANTED = {"typhoon", "rainstorm", "flood", "lightning", "landslide", "earthquake", "heat", "cold", "home-fire", "high-rise-fire",
          "gas-chemicals", "storm-surge", "haze-fog", "bad-weather-driving", "epidemic", "power-cut", "emergency-kit"}


def test_the_committed_guides_have_no_faults_and_all_are_there():
    words = Flask(__name__)
    i18n.init_app(words, "Asia/Shanghai")
    with words.app_context(), force_locale("en"):
        reading = reader.read(CONTENT, hazards.load(CONTENT).hazards)
    assert [str(fault) for fault in reading.faults] == []
    assert {guide.id for guide in reading.guides} >= WANTED
    assert {guide.group for guide in reading.guides} == set(GROUPS)
    assert [guide.id for guide in reading.guides if guide.kind == TICKS] == ["emergency-kit"]


def test_every_fully_described_hazard_has_a_guide():
    words = Flask(__name__)
    with words.app_context():
        reading = reader.read(CONTENT)
    told = {code for guide in reading.guides for code in guide.hazards}
    assert {hazard.code for hazard in hazards.load(CONTENT) if hazard.full} - told == set()


def test_two_whole_guides_have_no_faults(faults: Callable[[], list[str]]):
    assert faults() == []


@pytest.mark.parametrize(("name", "old", "new", "said"), [
    ("typhoon.en.md", "- Do not pass on", "Do not pass on", "typhoon.en.md:55: below a heading (##) stands a list"),
    ("typhoon.en.md", "- Do not pass on", "- <b>Do</b> not pass on", "typhoon.en.md:55: raw HTML is not allowed"),
    ("typhoon.en.md", "## After", "## Afterwards", "“Afterwards” is no section of a guide"),
    ("typhoon.en.md", "## After", "## Afterwards", "the section “After” is missing"),
    ("typhoon.zh.md", '"11B49"', '"99Z99"', "typhoon.zh.md:5: the hazard 99Z99 is not in content/hazards"),
    ("typhoon.zh.md", '["11B01", "11B49", "11B06", "11B02"]', "[1]", "typhoon.zh.md:5: “hazards” is a list of texts"),
    ("typhoon.en.md", '"11B49", ', "", "typhoon.en.md:5: “hazards” is another one in Chinese"),
    ("typhoon.en.md", "- Do not climb up in the wind to mend roofs, take in clothes or pick things up.\n", "",
     "“What not to do” has 4 items here, 5 in Chinese"),
    ("typhoon.en.md", "typhoon-balcony.svg", "gone.svg", "typhoon.en.md:12: the picture gone.svg is not in guides/media"),
    ("typhoon.en.md", "(../emergency-kit/)", "(../no-such/)", "there is no guide no-such"),
    ("typhoon.en.md", "(../emergency-kit/)", "(http://elsewhere.example/)", "links to other sites stand in the sources"),
    ("typhoon.en.md", "id: typhoon", "id: cyclone", "typhoon.en.md:2: the id is the name of the file: typhoon"),
    ("typhoon.en.md", "updated: 2026-11-25", "updated: soon", "“updated” is a day"),
    ("typhoon.en.md", "updated: 2026-11-25\n", "", "“updated” is missing in the front matter"),
    ("typhoon.en.md", "group: weather", "group: wheather", "the group is one of weather"),
    ("typhoon.en.md", "title: Typhoon", "title: [Typhoon", "the YAML cannot be read here"),
    ("typhoon.en.md", "updated: 2026-11-25", "updated: 2026-02-30", "holds a number or a date that cannot be read"),
    ("typhoon.en.md", "figure: typhoon-balcony.svg", "figure: [typhoon-balcony.svg]", "typhoon.en.md:12: “figure” is a text"),
    ("typhoon.en.md", "keywords:", "id: typhoon\nkeywords:", "the key “id” stands twice"),
    ("typhoon.en.md", "keywords:", "other: " + "[" * 3000 + "]" * 3000 + "\nkeywords:", "is nested too deeply"),
    ("typhoon.en.md", "keywords:", "other: &a [b]\nkeywords:", "anchors (&) and aliases (*) are not allowed"),
    ("typhoon.en.md", "title: Typhoon", "title: Typ\u202ehoon", "invisible control character"),
    ("typhoon.en.md", "---\n", "\ufeff---\n", ""),
    ("typhoon.en.md", "---\n", "", "begin the file with its front matter"),
    ("typhoon.en.md", "summary:", "sumary:", "“sumary” is not known"),
    ("emergency-kit.en.md", "- [ ] Whistle", "- Whistle", ""),
    ("typhoon.en.md", "- Do not go to the sea", "- [ ] Do not go to the sea", "items to tick"),
])
def test_a_fault_is_named_with_its_place(faults: Callable[[], list[str]], change: Callable[[str, str, str], None],
                                         name: str, old: str, new: str, said: str):
    change(name, old, new)
    found = faults()
    assert any(said in fault for fault in found) if said else found == [], found


def test_a_guide_in_one_language_is_told_of_and_not_shown(content: Path, faults: Callable[[], list[str]]):
    (content / "guides" / "typhoon.en.md").unlink()
    found = faults()
    assert any(fault.startswith("guides/typhoon.en.md:1: is missing") for fault in found)
    words = Flask(__name__)
    i18n.init_app(words, "Asia/Shanghai")
    with words.app_context(), force_locale("en"):
        assert [guide.id for guide in reader.read(content).guides] == ["emergency-kit"]


def test_a_picture_that_runs_something_is_refused(content: Path, faults: Callable[[], list[str]]):
    path = content / "guides" / "media" / "typhoon-balcony.svg"
    path.write_text(path.read_text().replace("<rect ", "<script>1</script><rect ", 1))
    assert any("media/typhoon-balcony.svg:2: <script> is not allowed" in fault for fault in faults())


def test_the_command_names_the_file_and_line_and_fails(content: Path, change: Callable[[str, str, str], None],
                                                        monkeypatch: pytest.MonkeyPatch):
    for name in ("hazards", "shelters"):
        (content / name).symlink_to(CONTENT / name)
    change("typhoon.zh.md", '"11B49"', '"99Z99"')
    monkeypatch.setenv("ANLAN_CONTENT", str(content))
    done = CliRunner().invoke(main, ["content", "lint"])
    assert done.exit_code == 1
    assert f"{content}/guides/typhoon.zh.md:5:" in done.output
