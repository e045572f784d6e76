"""Every string of the portal is translated, and the tool that watches over it sees what it should see."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from portal.cli import main
from portal.core import catalogues

CODE = '''
from flask_babel import gettext as _, ngettext, pgettext
a = _("Two streets %(names)s", names="x")
b = ngettext("%(num)s horn", "%(num)s horns", 3)
c = pgettext("verb", "Open")
d = _("Open")
'''


@pytest.fixture
def portal(tmp_path: Path) -> Path:
    room = tmp_path / "portal" / "rain"
    (room / "templates" / "rain").mkdir(parents=True)
    (room / "__init__.py").write_text(CODE)
    (room / "templates" / "rain" / "page.html").write_text(
        '<p>{{ _("Shelter") }}</p>{% trans n=3 %}Wait {{ n }}{% endtrans %}')
    other = tmp_path / "portal" / "channels" / "sms"
    other.mkdir(parents=True)
    (other.parent / "__init__.py").write_text("")
    (other / "__init__.py").write_text('x = _("Carrier")')
    return tmp_path / "portal"


def _translate(portal: Path, words: dict[str, str], room: str = "rain") -> Path:
    path = catalogues.po_path(portal / room, "zh")
    text = path.read_text()
    for msgid, zh in words.items():
        before = f'msgid "{msgid}"\nmsgstr ""'
        assert before in text
        text = text.replace(before, f'msgid "{msgid}"\nmsgstr "{zh}"')
    path.write_text(text)
    return path


def test_every_string_of_the_portal_is_translated():
    assert catalogues.check() == []


def test_english_says_what_the_code_says_and_chinese_waits_for_people(portal):
    catalogues.update(portal=portal)
    english = catalogues.po_path(portal / "rain", "en").read_text()
    assert ('msgid "%(num)s horn"\nmsgid_plural "%(num)s horns"\n'
            'msgstr[0] "%(num)s horn"\nmsgstr[1] "%(num)s horns"') in english
    assert 'msgid "Wait %(n)s"\nmsgstr "Wait %(n)s"' in english
    assert 'msgctxt "verb"\nmsgid "Open"\nmsgstr "Open"' in english
    assert 'msgid "Shelter"\nmsgstr ""' in catalogues.po_path(portal / "rain", "zh").read_text()
    assert [p for p in catalogues.check(["rain"], portal) if "(en)" in p] == []
    assert len([p for p in catalogues.check(["rain"], portal) if "has no translation" in p]) == 6


def test_an_update_keeps_translations_drops_what_is_gone_and_writes_nothing_twice(portal):
    catalogues.update(portal=portal)
    path = _translate(portal, {"Shelter": "避难场所"})
    assert catalogues.update(portal=portal) == []
    (portal / "rain" / "__init__.py").write_text("")
    catalogues.update(portal=portal)
    assert '"避难场所"' in path.read_text()
    assert "horn" not in path.read_text()


def test_moving_a_string_down_its_file_changes_no_catalogue(portal):
    catalogues.update(portal=portal)
    (portal / "rain" / "__init__.py").write_text("\n\n\n" + CODE)
    assert catalogues.update(portal=portal) == []


def test_rooms_are_updated_one_by_one(portal):
    changed = catalogues.update(["channels/sms"], portal)
    assert changed == [catalogues.po_path(portal / "channels/sms", lang) for lang in ("zh", "en")]


def test_a_room_inside_channels_is_not_counted_twice(portal):
    assert catalogues.extracted("channels", portal) == {}
    assert [key[0] for key in catalogues.extracted("channels/sms", portal)] == ["Carrier"]


def test_words_that_another_room_has_are_taken_over(portal):
    catalogues.update(portal=portal)
    _translate(portal, {"Carrier": "运营商"}, "channels/sms")
    page = portal / "rain" / "templates" / "rain" / "page.html"
    page.write_text(page.read_text() + '{{ _("Carrier") }}')
    catalogues.update(["rain"], portal)
    assert 'msgid "Carrier"\nmsgstr "运营商"' in catalogues.po_path(portal / "rain", "zh").read_text()


@pytest.mark.parametrize(("words", "complaint"), [
    ({"Two streets %(names)s": "两个街道"}, "other placeholders"),
    ({"Two streets %(names)s": "两个街道 %(name)s"}, "other placeholders"),
    ({"Shelter": " "}, "has no translation"),
])
def test_a_bad_translation_is_named(portal, words, complaint):
    catalogues.update(portal=portal)
    _translate(portal, words)
    msgid = next(iter(words))
    assert [p for p in catalogues.check(portal=portal) if repr(msgid) in p and complaint in p]


def test_stale_and_fuzzy_and_contradicting_words_are_named(portal):
    catalogues.update(portal=portal)
    path = _translate(portal, {"Shelter": "避难场所"})
    path.write_text(path.read_text().replace("#: portal/rain/templates/rain/page.html\nmsgid \"Shelter\"",
                                             "#, fuzzy\nmsgid \"Shelter\""))
    path.write_text(path.read_text() + '\nmsgid "Gone"\nmsgstr "没了"\n\nmsgid "Carrier"\nmsgstr "承运人"\n')
    _translate(portal, {"Carrier": "运营商"}, "channels/sms")
    found = "\n".join(catalogues.check(portal=portal))
    assert "'Shelter' is marked as fuzzy" in found
    assert "'Gone' is no longer in the code" in found
    assert "'Carrier' is '承运人' here and '运营商' in channels/sms" in found


def test_the_command_refuses_an_unknown_room_and_lists_the_known():
    result = CliRunner().invoke(main, ["messages", "update", "rian"])
    assert result.exit_code == 2
    assert "no such room: rian" in result.output
    assert "web" in result.output
