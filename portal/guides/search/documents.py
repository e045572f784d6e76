"""What can be found in one language, and the files that phones keep of it.

Two files: guides, shelters and communities, which change with the registry; and lessons, whose reading takes its time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from portal.guides.search.index import COMMUNITY, GUIDE, KINDS, LESSON, SHELTER, Document
from portal.guides.values import Guide
from portal.regions import lookup
from portal.shelters.models import Shelter
from portal.shelters.public.view import slug_of
from portal.training.reading import shelf as courses

#: Shelters and lessons that are in the files, and characters of a lesson.
MOST_SHELTERS, MOST_LESSONS, LESSON_CHARACTERS = 2_000, 600, 420
_MARKS = re.compile(r"!?\[([^\]]*)\]\([^)]*\)|[*_`#>|]+")


def plain(markdown: str) -> str:
    """Words without the marks of Markdown."""
    return " ".join(_MARKS.sub(lambda m: m[1] or "", markdown).split())


def of_guides(guides: Iterable[Guide], language: str) -> list[Document]:
    return [Document(GUIDE, f"/{language}/guides/{guide.id}/", guide.title[language], " ".join(guide.keywords[language]),
                     " ".join([guide.summary[language], *(plain(f"{section.title[language]} {item}" if not n else item)
                               for section in guide.sections for n, item in enumerate(section.items[language]))]))
            for guide in guides]


def of_places(shelters: Sequence[Shelter], district: str, language: str) -> list[Document]:
    """Shelters, of which there may be more than are taken, and communities."""
    names = lookup.current().nodes
    communities = lookup.communities_under([district])

    def name(code: str | None) -> str:
        node = names.get(code) if code else None
        return "" if node is None else node.name(language) or node.name_zh

    found = []
    for shelter in shelters[:MOST_SHELTERS]:
        address = shelter.address_zh if language == "zh" else shelter.address_en or shelter.address_zh
        found.append(Document(SHELTER, f"/{language}/shelters/{slug_of(shelter.code)}/", shelter.name(language),
                              "避难场所 应急避难" if language == "zh" else "shelter",
                              " ".join(part for part in (address, name(shelter.region_code)) if part)))
    for code in communities:
        above = name(code[:9] + "000")
        kind = "社区" if language == "zh" else "community"
        found.append(Document(COMMUNITY, f"/{language}/communities/{code}/", name(code), kind, above))
    return found


def of_lessons(content: Path, language: str) -> list[Document]:
    """Lessons with what they are for and what to remember of them."""
    found = []
    for course in courses.read(content).courses:
        for module in course.modules:
            for lesson in module.lessons:
                said = [module.title[language], *(one[language] for one in (*lesson.key_points, *lesson.objectives))]
                headings = re.findall(r"^##+\s+(.+)$", lesson.text[language], re.MULTILINE)
                text = plain(" ".join([*said, *headings]))[:LESSON_CHARACTERS]
                found.append(Document(LESSON, f"/{language}/courses/{course.id}/{lesson.id}/", lesson.title[language],
                                      course.title[language], text))
    return found[:MOST_LESSONS]


def dump(documents: Sequence[Document]) -> bytes:
    rows = [[KINDS.index(d.kind), d.path, d.title, d.keywords, d.text] for d in documents]
    return json.dumps({"kinds": KINDS, "documents": rows}, ensure_ascii=False, separators=(",", ":")).encode()


def load(body: bytes) -> list[Document]:
    """Raises ValueError where the file is none of ours."""
    try:
        said = json.loads(body)
        return [Document(said["kinds"][kind], *rest) for kind, *rest in said["documents"]]
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError("not an index of the search") from error
