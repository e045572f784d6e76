"""The words that templates make: complete, short enough to send, easy to hear, unmistakable in a drill."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.channels.sms import segments
from portal.config import ROOT, TIERS, Settings
from portal.warnings import hazards, phrases, templates, words
from portal.warnings.hazards import ALERT, CANCEL, CHANNELS, UPDATE, Phrase
from portal.warnings.templates import Facts, mark_exercise, render

ZONE = ZoneInfo("Asia/Shanghai")
CATALOGUE = hazards.load(ROOT / "content")
TWO_STREETS = [("坪山街道", "Pingshan Subdistrict"), ("马峦街道", "Maluan Subdistrict")]
FACTS = Facts(
    areas=TWO_STREETS,
    onset=datetime(2026, 11, 22, 3, 15, tzinfo=ZONE),
    expires=datetime(2026, 11, 22, 23, 55, tzinfo=ZONE),
    signature="坪山应急",
    authority=Phrase("坪山区应急管理局（演示）", "Pingshan Emergency Management Bureau (demonstration)"),
)
RAIN = CATALOGUE.hazards["11B03"]


def every_text(facts: Facts = FACTS) -> Iterator[tuple[str, str, str, dict[str, str]]]:
    """Each hazard, tier, kind of bulletin and language: a name for the failure, tier, language, words."""
    for hazard in CATALOGUE:
        for tier in hazard.tiers:
            for kind, before in (
                (ALERT, None),
                (UPDATE, tier),
                (UPDATE, "red"),
                (UPDATE, "white"),
                (CANCEL, None),
            ):
                for language in ("zh", "en"):
                    made = render(hazard, tier, kind, language, replace(facts, previous_tier=before))
                    yield f"{hazard.code} {tier} {kind} from {before} {language}", tier, language, made


def test_every_text_of_every_hazard_is_complete_and_within_what_a_bulletin_may_hold() -> None:
    settings = Settings()
    for name, _tier, _language, made in every_text():
        assert set(made) == set(CHANNELS), name
        for channel, text in made.items():
            assert text.strip(), name
            assert not re.search(r"[{}]|None|。。|，，|  |\.\.", text), (name, channel, text)
            assert text == words._tidy(text, channel), (name, channel)
        assert not list(words.problems({"zh": made, "en": made}, complete=True, settings=settings)), name


def test_the_description_says_all_that_the_law_asks_for() -> None:
    for name, _tier, language, made in every_text():
        text = made["description"]
        wanted = (
            (
                "坪山街道、马峦街道",
                "2026年11月22日3时15分",
                "坪山区应急管理局（演示）",
                "警示事项",
                "级别",
                "类别",
            )
            if language == "zh"
            else (
                "Pingshan Subdistrict and Maluan Subdistrict",
                "03:15 on 22 November 2026",
                "Pingshan Emergency Management Bureau (demonstration)",
                "Hazard:",
                "Level:",
            )
        )
        assert all(piece in text for piece in wanted), (name, text)
        assert (
            ("应采取" in made["instruction"] or "采取以下措施" in made["instruction"])
            if language == "zh"
            else "do" in made["instruction"]
        ), name
        assert "1. " in made["instruction"], name
        assert "4. " in made["instruction"], name


def test_a_text_message_for_two_streets_takes_at_most_three_segments() -> None:
    sizes = {"zh": 0, "en": 0}
    for name, _tier, language, made in every_text():
        size = segments.count(made["sms"])
        assert size.encoding == ("UCS-2" if language == "zh" else "GSM-7"), name
        assert size.segments <= (2 if language == "zh" else 3), (name, size.units, made["sms"])
        sizes[language] = max(sizes[language], size.units)
        assert made["sms"].startswith("【坪山应急】" if language == "zh" else "Pingshan Emergency"), name
    assert sizes["zh"] > 70  # it says what to do, and not only that there is a warning
    assert sizes["en"] > 160


def test_a_marked_text_message_still_takes_at_most_three_segments() -> None:
    for name, _tier, _language, made in every_text(replace(FACTS, exercise=True)):
        assert segments.count(made["sms"]).segments <= 3, name


def test_a_horn_says_place_and_colour_first_in_short_sentences_without_digits_or_signs() -> None:
    for name, tier, language, made in every_text():
        text = made["speaker"]
        ends = {"zh": r"[。！？]", "en": r"[.!?]"}[language]
        sentences = [s.strip() for s in re.split(ends, text) if s.strip()]
        assert not re.search(r"[0-9\[\]()（）【】/·~%+*#]", text), (name, text)
        if language == "zh":
            assert max(map(len, sentences)) <= 20, (name, sentences)
            assert re.fullmatch(r"[\u4e00-\u9fff，。、]+", text), (name, text)
        else:
            assert max(len(s.split()) for s in sentences) <= 16, (name, sentences)
            assert re.fullmatch(r"[A-Za-z ,.-]+", text), (name, text)
        assert ("坪山街道" if language == "zh" else "Pingshan Subdistrict") in sentences[0], name
        assert hazards.TIER_NAMES[tier][language] in sentences[1].lower(), name


def test_an_update_to_another_tier_reads_as_an_upgrade_or_a_downgrade() -> None:
    up = render(RAIN, "red", UPDATE, "zh", replace(FACTS, previous_tier="orange"))
    assert "暴雨预警由橙色升级为红色[I级/特别严重]" in up["headline"]
    assert "暴雨预警升级为红色。" in up["speaker"]
    down = render(RAIN, "yellow", UPDATE, "en", replace(FACTS, previous_tier="red"))
    assert down["headline"].startswith("Rainstorm warning lowered from red to yellow")
    assert "still in force" in down["sms"]
    same = render(RAIN, "red", UPDATE, "zh", replace(FACTS, previous_tier="red"))
    assert "继续生效" in same["sms"]
    assert "升级" not in "".join(same.values())
    assert same == render(RAIN, "red", UPDATE, "zh", FACTS)


def test_an_all_clear_says_that_it_is_over_and_what_still_is_dangerous() -> None:
    made = render(RAIN, "red", CANCEL, "zh", FACTS)
    assert "预警解除" in made["sms"]
    assert "已经解除" in made["speaker"]
    assert "远离危险边坡" in made["speaker"]
    assert "停课" not in "".join(made.values())


def test_a_kind_or_tier_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no such kind"):
        render(RAIN, "red", "shout", "zh", FACTS)
    with pytest.raises(KeyError):
        render(RAIN, "purple", ALERT, "zh", FACTS)


def test_white_carries_no_grade_and_the_others_do() -> None:
    typhoon = CATALOGUE.hazards["11B01"]
    assert "级" not in render(typhoon, "white", ALERT, "zh", FACTS)["headline"]
    assert [hazards.GRADE[t] for t in TIERS] == ["", "IV", "III", "II", "I"]
    assert "台风蓝色预警[IV级/一般]" in render(typhoon, "blue", ALERT, "zh", FACTS)["headline"]


def test_without_an_onset_the_warning_begins_at_once() -> None:
    made = render(RAIN, "red", ALERT, "zh", replace(FACTS, onset=None))
    assert "即时起生效" in made["sms"]
    assert "now to 23:55 22 Nov" in render(RAIN, "red", ALERT, "en", replace(FACTS, onset=None))["sms"]


def test_without_a_signature_there_are_no_empty_brackets() -> None:
    assert render(RAIN, "red", ALERT, "zh", replace(FACTS, signature=""))["sms"].startswith("暴雨红色预警")


def test_names_with_braces_brackets_or_curly_quotes_do_no_harm() -> None:
    odd = replace(FACTS, areas=[("{steps}（东区）社区", "King’s {steps} (East)")])
    assert "{steps}（东区）社区" in render(RAIN, "red", ALERT, "zh", odd)["sms"]
    assert "东区" not in render(RAIN, "red", ALERT, "zh", odd)["speaker"]
    english = render(RAIN, "red", ALERT, "en", odd)["sms"]
    assert "King's {steps} (East)" in english
    assert segments.first_non_gsm(english) is None


# -- places ------------------------------------------------------------------------------------------------
COMMUNITIES = [(f"{letter}社区", f"{letter} Community") for letter in "甲乙丙丁戊己庚"]


@pytest.mark.parametrize(
    ("names", "channel", "zh", "en"),
    [
        (COMMUNITIES[:1], "sms", "甲社区", "甲 Community"),
        (COMMUNITIES[:2], "sms", "甲社区、乙社区", "甲 Community and 乙 Community"),
        (
            COMMUNITIES[:3],
            "headline",
            "甲社区、乙社区、丙社区",
            "甲 Community, 乙 Community and 丙 Community",
        ),
        (COMMUNITIES, "sms", "甲社区、乙社区等7个社区", "甲 Community, 乙 Community and 5 other communities"),
        (
            COMMUNITIES,
            "speaker",
            "甲社区、乙社区等七个社区",
            "甲 Community, 乙 Community and five other communities",
        ),
        (
            COMMUNITIES[:3],
            "speaker",
            "甲社区、乙社区等三个社区",
            "甲 Community, 乙 Community and one other area",
        ),
        (
            [*COMMUNITIES[:3], *TWO_STREETS],
            "sms",
            "甲社区、乙社区等5个区域",
            "甲 Community, 乙 Community and 3 other areas",
        ),
        ([], "sms", "划定区域", "the marked area"),
        (
            [
                ("坪山综合保税区", "Pingshan Comprehensive Bonded Zone"),
                ("坪山高新技术园区", "Pingshan High-tech Park"),
            ],
            "speaker",
            "坪山综合保税区等两个区域",
            "Pingshan Comprehensive Bonded Zone and Pingshan High-tech Park",
        ),
    ],
)
def test_places_are_joined_as_people_would_and_long_lists_are_cut(
    names: list[tuple[str, str]], channel: str, zh: str, en: str
) -> None:
    assert phrases.areas(names, "zh", channel) == zh
    assert phrases.areas(names, "en", channel) == en


DISTRICT = [
    (row["name_zh"], row["name_en"]) for row in csv.DictReader((ROOT / "content/regions/440310.csv").open(encoding="utf-8"))
]


def test_any_two_places_of_the_district_fit_into_a_spoken_sentence() -> None:
    for pair in itertools.permutations(DISTRICT, 2):
        assert len(phrases.areas(pair, "zh", "speaker")) <= 14, pair
        assert len(phrases.areas(pair, "en", "speaker").split()) <= 12, pair


def test_the_longest_names_of_the_district_still_fit_into_three_segments() -> None:
    longest = sorted(DISTRICT, key=lambda pair: -len(pair[1]))[:2]
    for name, _tier, _language, made in every_text(replace(FACTS, areas=longest, exercise=True)):
        assert segments.count(made["sms"]).segments <= 3, (name, made["sms"])
        assert len(made["headline"]) <= words.LIMITS["headline"], name


def test_the_description_names_more_places_than_a_text_message_does() -> None:
    assert phrases.areas(COMMUNITIES, "zh", "description") == "、".join(zh for zh, _en in COMMUNITIES)


# -- times -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("hour", "minute", "zh", "en"),
    [
        (3, 15, "二十二日三点十五分", "three fifteen in the morning on the twenty second"),
        (0, 0, "二十二日零点整", "twelve midnight at the start of the day on the twenty second"),
        (0, 5, "二十二日零点零五分", "twelve oh five after midnight on the twenty second"),
        (2, 0, "二十二日两点整", "two in the morning on the twenty second"),
        (12, 0, "二十二日十二点整", "twelve noon on the twenty second"),
        (12, 30, "二十二日十二点三十分", "twelve thirty in the afternoon on the twenty second"),
        (22, 59, "二十二日二十二点五十九分", "ten fifty nine in the evening on the twenty second"),
    ],
)
def test_times_are_spoken_in_words(hour: int, minute: int, zh: str, en: str) -> None:
    moment = datetime(2026, 11, 22, hour, minute, tzinfo=ZONE)
    assert phrases.spoken(moment, "zh") == zh
    assert phrases.spoken(moment, "en") == en


@given(st.integers(0, 60 * 24 * 400))
def test_every_minute_can_be_spoken_without_digits_and_within_a_sentence(minutes: int) -> None:
    moment = datetime(2026, 1, 1, tzinfo=ZONE) + timedelta(minutes=minutes)
    assert re.fullmatch(r"[\u4e00-\u9fff]{5,13}", phrases.spoken(moment, "zh"))
    assert re.fullmatch(r"[a-z ]+", phrases.spoken(moment, "en"))
    assert len(phrases.spoken(moment, "en").split()) <= 12


def test_times_are_written_with_their_date() -> None:
    moment = datetime(2026, 11, 22, 15, 0, tzinfo=ZONE)
    assert phrases.written(moment, "zh", year=True) == "2026年11月22日15时"
    assert phrases.written(moment, "zh", year=False) == "11月22日15时"
    assert phrases.written(moment, "en", year=False) == "15:00 22 Nov"


@pytest.mark.parametrize(
    ("number", "zh", "en"),
    [
        (0, "零", "zero"),
        (10, "十", "ten"),
        (11, "十一", "eleven"),
        (20, "二十", "twenty"),
        (25, "二十五", "twenty five"),
        (100, "一百", "one hundred"),
        (105, "一百零五", "one hundred and five"),
        (110, "一百一十", "one hundred and ten"),
        (1005, "一千零五", "one thousand and five"),
        (1050, "一千零五十", "one thousand and fifty"),
        (9999, "九千九百九十九", "nine thousand nine hundred and ninety nine"),
    ],
)
def test_numbers_are_spoken_in_words(number: int, zh: str, en: str) -> None:
    assert phrases.chinese_number(number) == zh
    assert phrases.english_number(number) == en


def test_days_of_a_month_are_ordinals() -> None:
    assert [phrases.english_ordinal(n) for n in (1, 2, 3, 5, 8, 9, 12, 20, 21, 30, 31)] == [
        "first",
        "second",
        "third",
        "fifth",
        "eighth",
        "ninth",
        "twelfth",
        "twentieth",
        "twenty first",
        "thirtieth",
        "thirty first",
    ]


# -- drills ------------------------------------------------------------------------------------------------
def test_a_drill_is_marked_in_every_text_of_every_channel() -> None:
    for name, _tier, language, made in every_text(replace(FACTS, exercise=True)):
        for channel, text in made.items():
            if channel == "speaker":
                said = "现在进行演练。" if language == "zh" else "This is an exercise."
                assert text.startswith(said), name
                assert text.endswith(said), name
            elif channel == "sms" and language == "zh":
                assert text.startswith("【坪山应急】【演练】"), name
            else:
                assert text.startswith("【演练】" if language == "zh" else "EXERCISE: "), (name, channel)


def test_a_real_warning_carries_no_mark_of_a_drill() -> None:
    for name, _tier, _language, made in every_text():
        assert not re.search("演练|exercise", "".join(made.values()), re.IGNORECASE), name


pieces = st.sampled_from(
    [
        "【演练】",
        "【坪山应急】",
        "现在进行演练。",
        "EXERCISE: ",
        "EXERCISE:",
        "This is an exercise.",
        " ",
        "\n",
        "暴雨",
        "EXERCISE",
        "【",
        "】",
        "This is ",
        "an exercise.",
        "现在",
        "进行演练。",
        "a",
        "。",
    ]
)
texts = st.one_of(st.text(max_size=30), st.lists(pieces, max_size=8).map("".join))


@given(st.dictionaries(st.sampled_from(["zh", "en"]), st.dictionaries(st.sampled_from(CHANNELS), texts)))
def test_marking_a_drill_twice_changes_nothing_and_nothing_is_left_unmarked(
    given_words: dict[str, dict[str, str]],
) -> None:
    once = mark_exercise(given_words)
    assert mark_exercise(once) == once
    for language, channels in given_words.items():
        for channel, text in channels.items():
            marked = once[language][channel]
            assert bool(marked) == bool(text.strip())
            assert not marked or re.search("演练" if language == "zh" else "EXERCISE|This is an exercise", marked)


def test_marking_does_not_change_what_it_was_given() -> None:
    made = {"zh": {"sms": "【坪山应急】暴雨。"}}
    assert mark_exercise(made) == {"zh": {"sms": "【坪山应急】【演练】暴雨。"}}
    assert made == {"zh": {"sms": "【坪山应急】暴雨。"}}


def test_a_mark_typed_by_hand_counts_once() -> None:
    assert mark_exercise({"zh": {"headline": "【演练】暴雨", "sms": "【演练】暴雨"}})["zh"] == {
        "headline": "【演练】暴雨",
        "sms": "【演练】暴雨",
    }
    assert templates.mark_exercise({"en": {"sms": "EXERCISE:Rain"}})["en"]["sms"] == "EXERCISE: Rain"
