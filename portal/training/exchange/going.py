"""Questions of a course for other programs: a file of GIFT, or a package of QTI with its items, a test and the pictures."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flask_babel import gettext as _
from lxml import etree

from portal.training.content import reader
from portal.training.content.values import Course, Module
from portal.training.exchange import gift_out, qti
from portal.training.exchange.drafts import Untaken
from portal.training.exchange.planning import NoCourse
from portal.training.exchange.qti_names import QTI21, QTI30, Form

GIFT = "gift"
FORMS = {"qti3": QTI30, "qti21": QTI21}
KINDS = (GIFT, *FORMS)
_THEN = (2026, 1, 1, 0, 0, 0)  # the same questions make the same package


def ending(kind: str) -> str:
    return "gift.txt" if kind == GIFT else f"{kind}.zip"


def write(kind: str, content: Path, course_id: str, module_id: str, language: str) -> tuple[bytes, list[Untaken]]:
    """The questions of a course, or of one of its modules, and those that `kind` has no form for. Raises :class:`NoCourse`."""
    directory = next((one for one in reader.folders(content) if one.name == course_id), None)
    course = reader.read(directory).course if directory is not None else None
    if course is None:
        raise NoCourse(_("There is no course %(name)s.", name=course_id))
    modules = [module for module in course.modules if module_id in ("", module.id)]
    if not modules:
        raise NoCourse(_("The course has no module %(name)s; it has: %(names)s.", name=module_id,
                         names=", ".join(module.id for module in course.modules)))
    if kind == GIFT:
        texts = [gift_out.module(module, language) for module in modules]
        return "\n".join(text for text, _left in texts).encode(), [one for _text, left in texts for one in left]
    return package(course, modules, language, FORMS[kind])


def package(course: Course, modules: Sequence[Module], language: str, form: Form) -> tuple[bytes, list[Untaken]]:
    """A package of QTI: a zip with a manifest, an item for each question, a test that holds them by module, and the pictures."""
    items, left, by_module = list[qti.Item](), list[Untaken](), dict[str, list[str]]()
    for module in modules:
        for question in module.questions:
            made = qti.item(question, language, course.media, form)
            if made is None:
                left.append(Untaken(question.line, question.id, _("has no form in QTI: %(type)s", type=question.type)))
            else:
                items.append(made)
                by_module.setdefault(module.id, []).append(made.id)
    pictures = sorted({name for one in items for name in one.pictures if name in course.media})
    files = {"imsmanifest.xml": _manifest(course, items, pictures, form),
             "test.xml": _test(course, modules, by_module, language, form)}
    files |= {f"items/{one.id}.xml": one.xml for one in items}
    files |= {f"media/{name}": course.media[name].body for name in pictures}
    return zipped(files), left


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip of files by their paths."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _THEN), content, zipfile.ZIP_DEFLATED)
    return body.getvalue()


def _test(course: Course, modules: Sequence[Module], by_module: Mapping[str, list[str]], language: str, form: Form) -> bytes:
    top = form.root("assessmentTest", {"identifier": qti.identifier(course.id), "title": course.title[language]})
    part = form.make("testPart", {"identifier": "part", "navigationMode": "nonlinear", "submissionMode": "simultaneous"})
    top.append(part)
    for module in modules:
        names = by_module.get(module.id)
        if names:
            refs = (form.make("assessmentItemRef", {"identifier": name, "href": f"items/{name}.xml"}) for name in names)
            part.append(form.make("assessmentSection", {"identifier": f"section-{module.id}", "title": module.title[language],
                                                        "visible": "true"}, *refs))
    return etree.tostring(top, xml_declaration=True, encoding="UTF-8")


def _manifest(course: Course, items: Sequence[qti.Item], pictures: Sequence[str], form: Form) -> bytes:
    space, schema = form.package
    names: dict[Any, str] = {None: space}

    def make(name: str, attributes: dict[str, str] | None = None, *children: etree._Element, text: str = "") -> etree._Element:
        made = etree.Element(f"{{{space}}}{name}", attrib=attributes or {}, nsmap=names)
        made.text = text or None
        made.extend(children)
        return made

    def resource(name: str, kind: str, href: str, needs: Sequence[str] = ()) -> etree._Element:
        return make("resource", {"identifier": name, "type": kind, "href": href}, make("file", {"href": href}),
                    *(make("dependency", {"identifierref": one}) for one in needs))

    media = {name: f"media-{n}" for n, name in enumerate(pictures)}
    resources = [resource("resource-test", form.test, "test.xml", [f"resource-{one.id}" for one in items])]
    resources += [resource(f"resource-{one.id}", form.item, f"items/{one.id}.xml",
                           [media[name] for name in one.pictures if name in media]) for one in items]
    resources += [resource(media[name], "webcontent", f"media/{name}") for name in pictures]
    top = make("manifest", {"identifier": f"manifest-{course.id}"},
               make("metadata", None, make("schema", text=form.schema[0]), make("schemaversion", text=form.schema[1])),
               make("organizations"), make("resources", None, *resources))
    top.set("{http://www.w3.org/2001/XMLSchema-instance}schemaLocation", f"{space} {schema}")
    return etree.tostring(top, xml_declaration=True, encoding="UTF-8")
