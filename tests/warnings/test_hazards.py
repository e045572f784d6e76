"""The catalogue of hazards: what is in it, and what an editor is told of a mistake."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from portal.cli import main
from portal.config import ROOT, TIERS
from portal.warnings import hazards
from portal.warnings.cap_message import CATEGORIES, CERTAINTIES, RESPONSES, SEVERITIES, URGENCIES

CONTENT = ROOT / "content"
FULL = {"11A01", "11A02", "11B01", "11B03", "11B09", "11D01"}


@pytest.fixture(scope="module")
def catalogue() -> hazards.Catalogue:
    return hazards.load(CONTENT)


def test_the_catalogue_has_many_codes_each_named_in_both_languages(catalogue: hazards.Catalogue) -> None:
    assert len(catalogue) >= 45
    for hazard in catalogue:
        assert re.fullmatch(r"[\u4e00-\u9fff]+", hazard.zh), hazard
        assert re.fullmatch(r"[A-Za-z -]+", hazard.en), hazard
        assert hazard.category in CATEGORIES
        assert list(hazard.tiers) == [t for t in TIERS if t in hazard.tiers]


def test_no_two_hazards_have_the_same_name(catalogue: hazards.Catalogue) -> None:
    for language in ("zh", "en"):
        names = [hazard.name(language) for hazard in catalogue]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("code", "tiers"),
    [
        ("11B15", ("orange", "red")),
        ("11B01", TIERS),
        ("11B03", ("yellow", "orange", "red")),
        ("11B19", ("yellow",)),
        ("11B09", ("yellow", "orange", "red")),
        ("11B20", ("blue", "yellow", "orange", "red")),
    ],
)
def test_only_the_tiers_of_the_province_exist(
    catalogue: hazards.Catalogue, code: str, tiers: tuple[str, ...]
) -> None:
    hazard = catalogue.get(code)
    assert hazard is not None
    assert hazard.tiers == tiers
    assert [t for t in TIERS if hazard.has(t)] == list(tiers)


def test_six_hazards_are_fully_described_and_come_first_when_composing(catalogue: hazards.Catalogue) -> None:
    order = catalogue.for_compose()
    assert {h.code for h in order[:6]} == FULL == {h.code for h in catalogue if h.full}
    assert len(order) == len(catalogue)


@pytest.mark.parametrize("code", sorted(FULL))
def test_a_full_hazard_has_criteria_guidance_and_cap_words_for_each_tier(
    catalogue: hazards.Catalogue, code: str
) -> None:
    hazard = catalogue.get(code)
    assert hazard is not None
    for tier in hazard.tiers:
        signal = hazard.signal(tier)
        assert not signal.generic
        assert signal.criteria is not None
        assert signal.criteria.text.zh
        assert signal.criteria.text.en
        assert signal.criteria.source.zh
        assert len(signal.steps) >= 4
        assert len({step.zh for step in signal.steps}) == len(signal.steps)
        assert signal.severity in SEVERITIES
        assert signal.urgency in URGENCIES
        assert signal.certainty in CERTAINTIES
        assert set(signal.responses) <= set(RESPONSES)
        for language in ("zh", "en"):
            assert all(
                hazard.template(tier, kind, language, channel)
                for kind in hazards.KINDS
                for channel in hazards.CHANNELS
            )
    assert hazard.all_clear.steps != catalogue.get("11B06").all_clear.steps  # type: ignore[union-attr]


def test_every_step_ends_as_a_sentence_and_chinese_ones_hold_no_half_width_punctuation(
    catalogue: hazards.Catalogue,
) -> None:
    for hazard in catalogue:
        for guidance in [*(hazard.signal(t) for t in hazard.tiers), hazard.all_clear]:
            for phrase in (guidance.threat, guidance.action, *guidance.steps, *guidance.spoken):
                assert phrase.zh.endswith("。"), phrase
                assert phrase.en.endswith("."), phrase
                assert not re.search(r"[,;:?!()]|(?<=[\u4e00-\u9fff]) | (?=[\u4e00-\u9fff])", phrase.zh), (
                    phrase
                )
                assert not re.search(r"[\u3000-\uffef]", phrase.en), phrase


def test_figures_from_memory_are_marked_and_confirmed_ones_are_not(catalogue: hazards.Catalogue) -> None:
    confirmed = {
        (h.code, t)
        for h in catalogue
        if h.full
        for t in h.tiers
        if (criteria := h.signal(t).criteria) is not None and criteria.confirmed
    }
    assert confirmed == {("11B01", "white"), ("11B01", "blue"), ("11B03", "red")}


def test_schools_suspend_as_shenzhen_has_it(catalogue: hazards.Catalogue) -> None:
    suspending = {(h.code, t) for h in catalogue if h.full for t in h.tiers if h.signal(t).schools_suspend}
    assert suspending == {("11B01", "yellow"), ("11B01", "orange"), ("11B01", "red"), ("11B03", "red")}
    for code, tier in suspending:
        signal = catalogue.get(code).signal(tier)  # type: ignore[union-attr]
        assert "停课" in signal.action.zh
        assert signal.shelters_open


def test_a_hazard_without_signals_of_its_own_speaks_in_general_words(catalogue: hazards.Catalogue) -> None:
    hail = catalogue.get("11B15")
    assert hail is not None
    assert not hail.full
    assert hail.signal("red").generic
    assert len(hail.signal("red").steps) >= 4


def test_an_unknown_code_is_named_by_itself(catalogue: hazards.Catalogue) -> None:
    assert catalogue.get("11Z77") is None
    assert "11Z77" not in catalogue
    assert catalogue.name("11Z77", "zh") == "11Z77"
    assert catalogue.name("11B03", "zh") == "暴雨"
    assert catalogue.name("11B03", "en") == "Rainstorm"


def test_what_is_loaded_is_read_once_and_cannot_be_changed(catalogue: hazards.Catalogue) -> None:
    assert hazards.load(CONTENT) is catalogue
    with pytest.raises(AttributeError):
        catalogue.get("11B03").tiers = ()  # type: ignore[misc,union-attr]


# -- mistakes ----------------------------------------------------------------------------------------------
Spoil = Callable[[str, str, str], list[str]]


@pytest.fixture
def spoil(tmp_path: Path) -> Spoil:
    """Replace a piece of one content file; what the loader then says."""

    def change(name: str, before: str, after: str) -> list[str]:
        copy = tmp_path / "content"
        shutil.copytree(CONTENT / "hazards", copy / "hazards")
        path = copy / "hazards" / name
        text = path.read_text(encoding="utf-8")
        assert before in text
        path.write_text(text.replace(before, after, 1), encoding="utf-8")
        with pytest.raises(hazards.ContentError) as caught:
            hazards.load(copy)
        return [str(problem) for problem in caught.value.problems]

    return change


RAIN = "11B03-rainstorm.yaml"


@pytest.mark.parametrize(
    ("name", "before", "after", "told"),
    [
        (
            RAIN,
            "category: Met",
            "category: Met\ncolour: red",
            r"11B03-rainstorm.yaml:\d+: colour: unknown key; possible are code, ",
        ),
        (RAIN, "en: Rainstorm", "en: ''", r"11B03-rainstorm.yaml:\d+: en: is empty"),
        (RAIN, "en: Rainstorm\n", "", r"11B03-rainstorm.yaml:\d+: en: is missing"),
        (RAIN, "zh: 暴雨\n", "zh: 7\n", r"zh: must be text; put 7 in quotes"),
        (RAIN, 'code: "11B03"', 'code: "1B3"', r"code: '1B3' is no event code"),
        (
            RAIN,
            'code: "11B03"',
            'code: "11B15"',
            r"codes.yaml:\d+: code: 11B15 is already described in 11B03-rainstorm.yaml",
        ),
        (
            RAIN,
            "  yellow:\n",
            "  purple:\n",
            r"tiers: must be some of the tiers white, blue, yellow, orange, red",
        ),
        (RAIN, "category: Met", "category: Rain", r"category: must be one of Geo, Met"),
        (RAIN, "urgency: Expected", "urgency: Soon", r"tiers.yellow.urgency: must be one of Immediate"),
        (
            RAIN,
            "shelters_open: false",
            "shelters_open: perhaps",
            r"tiers.yellow.shelters_open: must be true or false",
        ),
        (
            RAIN,
            "responses: [Prepare, Avoid, Monitor]",
            "responses: [Prepare, Prepare]",
            r"responses: must be a list of some of .*, each once",
        ),
        (RAIN, "      confirmed: false\n", "", r"tiers.yellow.criteria.confirmed: must be true or false"),
        (
            RAIN,
            ", en: Keep away from low and flooded roads.",
            "",
            r":\d+: tiers.yellow.spoken.1.en: is missing",
        ),
        (
            RAIN,
            "all_clear:\n",
            "templates: {alert: {zh: {sms: '{place}'}, en: {}}}\nall_clear:\n",
            r"templates.alert.zh.sms: unknown placeholder {place}; possible are .*areas",
        ),
        (
            RAIN,
            "all_clear:\n",
            "templates: {alert: {zh: {sms: '{areas.__class__}'}, en: {}}}\nall_clear:\n",
            r"templates.alert.zh.sms: unknown placeholder {areas.__class__}",
        ),
        (
            RAIN,
            "all_clear:\n",
            "templates: {alert: {zh: {sms: '{areas:>99999}'}, en: {}}}\nall_clear:\n",
            r"templates.alert.zh.sms: unknown placeholder {areas:>99999}",
        ),
        (
            RAIN,
            "all_clear:\n",
            "templates: {alert: {zh: {sms: '{areas'}, en: {}}}\nall_clear:\n",
            r"templates.alert.zh.sms: a brace stands alone",
        ),
        (
            RAIN,
            "all_clear:\n",
            "templates: {alert: {zh: {sms: '{areas}'}}}\nall_clear:\n",
            r"templates.alert.en: is missing",
        ),
        (
            RAIN,
            "all_clear:\n",
            "code: x\nall_clear:\n",
            r"11B03-rainstorm.yaml:\d+: cannot be read: the key 'code' stands twice",
        ),
        (RAIN, "code:", "code: [", r"11B03-rainstorm.yaml:\d+: cannot be read: "),
        (
            RAIN,
            "zh: 暴雨\n",
            "zh: !!python/name:os.system\n",
            r"cannot be read: could not determine a constructor",
        ),
        (
            "codes.yaml",
            'code: "11B15"',
            "code: 11000",
            r"codes.yaml:\d+: hazards.1.code: must be text; put 11000 in quotes",
        ),
        (
            "codes.yaml",
            "tiers: [orange, red]",
            "tiers: [red, orange]",
            r"codes.yaml:\d+: hazards.1.tiers: tiers must stand once and in the",
        ),
        (
            "codes.yaml",
            "tiers: [orange, red]",
            "tiers: [orange, orange, red]",
            r"hazards.1.tiers: tiers must stand once",
        ),
        (
            "codes.yaml",
            "tiers: [orange, red]",
            "tiers: [{a: b}]",
            r"hazards.1.tiers: must be some of the tiers",
        ),
        ("codes.yaml", "hazards:", "hazard:", r"codes.yaml:\d+: hazard: unknown key; possible are hazards"),
        ("generic.yaml", "  downgrade:", "  lowered:", r"generic.yaml:\d+: templates.lowered: unknown key"),
        ("generic.yaml", "  downgrade:", "  lowered:", r"generic.yaml:\d+: templates.downgrade: is missing"),
    ],
)
def test_a_mistake_is_told_with_its_file_line_and_key(
    spoil: Spoil, name: str, before: str, after: str, told: str
) -> None:
    problems = spoil(name, before, after)
    assert any(re.search(told, problem) for problem in problems), problems


def test_tiers_out_of_order_are_told(spoil: Spoil) -> None:
    text = (CONTENT / "hazards" / RAIN).read_text(encoding="utf-8")
    swapped = (
        text.replace("  yellow:\n", "  other:\n")
        .replace("  red:\n", "  yellow:\n")
        .replace("  other:\n", "  red:\n")
    )
    told = spoil(RAIN, text, swapped)
    assert any(
        "tiers: tiers must stand once and in the order white, blue, yellow, orange, red" in p for p in told
    ), told


def test_all_mistakes_are_told_at_once(spoil: Spoil) -> None:
    told = spoil(RAIN, "zh: 暴雨\nen: Rainstorm\ncategory: Met", "zh: ''\ncategory: Rain")
    assert len(told) == 3


def test_a_missing_or_unreadable_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "hazards").mkdir()
    (tmp_path / "hazards" / "codes.yaml").write_bytes(b"hazards: \xff\xfe")
    with pytest.raises(hazards.ContentError) as caught:
        hazards.load(tmp_path)
    told = str(caught.value)
    assert "generic.yaml:1: is missing" in told
    assert "codes.yaml:1: is not UTF-8 text" in told


# -- the command -------------------------------------------------------------------------------------------
def test_the_lint_command_finds_nothing_in_what_is_shipped() -> None:
    result = CliRunner(env={"ANLAN_CONTENT": str(CONTENT)}).invoke(main, ["content", "lint"])
    assert result.exit_code == 0, result.output
    assert re.search(r"\d+ hazards, .*\b0 problems", result.output)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("en: Rainstorm", "en: ''", r"11B03-rainstorm.yaml:\d+: en: is empty"),
        (
            "请立即就近避险。",
            "请拨打119。",
            r"11B03-rainstorm.yaml: 11B03 red.alert.zh.speaker: '1' cannot be spoken",
        ),
        (
            "请立即就近避险。",
            "请所有在危险边坡和低洼地带以及地下空间的居民朋友立即撤离。",
            r"red.alert.zh.speaker: .* too long to follow by ear",
        ),
        ("Keep away from slopes and standing water.", "Keep away… now.", None),
        (
            "Keep away from slopes and standing water.",
            "Keep away 现在.",
            r"cancel.en.sms: '现' is no GSM-7 character",
        ),
        (
            "请减少外出，暂停",
            "请减少外出，" * 40 + "暂停",
            r"orange.alert.zh.sms: takes \d segments; at most 3",
        ),
    ],
)
def test_the_lint_command_names_what_cannot_be_sent_or_spoken(
    tmp_path: Path, before: str, after: str, told: str | None
) -> None:
    shutil.copytree(CONTENT / "hazards", tmp_path / "hazards")
    shutil.copytree(CONTENT / "shelters", tmp_path / "shelters")
    path = tmp_path / "hazards" / RAIN
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    result = CliRunner(env={"ANLAN_CONTENT": str(tmp_path)}).invoke(main, ["content", "lint"])
    assert result.exit_code == (1 if told else 0), result.output
    if told:
        assert re.search(told, result.output), result.output
