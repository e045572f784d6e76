"""The guide for writers says what the reader does."""

from __future__ import annotations

import re
from pathlib import Path

from portal.training.content import lessons, media, practicals, questions
from portal.training.content.course_file import Outline
from portal.training.content.values import FEEDBACK, TYPES

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "courses.md").read_text(encoding="utf-8")


def test_the_guide_names_every_type_and_every_bound() -> None:
    assert [kind for kind in TYPES if f"| `{kind}` |" not in GUIDE] == []
    assert [kind for kind in FEEDBACK if kind not in GUIDE] == []
    for least, most in (lessons.OBJECTIVES, lessons.KEY_POINTS, questions.OPTIONS, questions.ITEMS, questions.PAIRS,
                        questions.AREAS, (2, practicals.MOST_STEPS)):
        assert f"{least}–{most}" in GUIDE
    svg, png = (media.MOST_BYTES[ending] // 1000 for ending in (".svg", ".png"))
    assert f"SVG at most {svg} KB, PNG and WebP at most {png} KB" in GUIDE


def test_the_guide_shows_every_key_of_a_course() -> None:
    shown = re.search(r"## course.yaml\n\n```yaml\n(.*?)```", GUIDE, re.S)[1]
    for name in Outline.__slots__:
        if name not in ("parts", "skills", "audience", "lines"):
            assert re.search(rf"^{name}:", shown, re.M), name
