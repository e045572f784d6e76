"""The pictures of a course: small, of a known kind, and an SVG that draws and does nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from flask_babel import gettext as _
from lxml import etree

from portal.training.content.faults import Fault, Notes
from portal.training.content.values import Medium

#: Bytes of one file by its ending.
MOST_BYTES = {".svg": 60_000, ".png": 150_000, ".webp": 150_000}
MOST_FILES = 300
NAME = re.compile(r"[a-z0-9][a-z0-9._-]*\.(?:svg|png|webp)\Z", re.ASCII)
_SVG = "{http://www.w3.org/2000/svg}"
#: What an SVG may be made of. Everything that runs, loads, moves by itself or embeds a document is left out.
_ELEMENTS = frozenset({
    "svg", "g", "defs", "symbol", "use", "title", "desc", "metadata", "path", "rect", "circle", "ellipse", "line", "polyline",
    "polygon", "text", "tspan", "textPath", "marker", "pattern", "clipPath", "mask", "linearGradient", "radialGradient", "stop",
    "style", "filter", "feGaussianBlur", "feOffset", "feMerge", "feMergeNode", "feFlood", "feComposite", "feColorMatrix",
    "feBlend", "feDropShadow", "switch",
})
_REFERS = re.compile(r"url\(\s*['\"]?(?!#)|@import|expression\(|javascript:|data:", re.IGNORECASE)
_HREFS = ("href", "{http://www.w3.org/1999/xlink}href")


def read(directory: Path, prefix: str, found: list[Fault]) -> dict[str, Medium]:
    """Name → picture of all that may be shown of a folder `media`; what may not is noted. `prefix` names the course."""
    media: dict[str, Medium] = {}
    paths = sorted(directory.iterdir()) if directory.is_dir() and not directory.is_symlink() else []
    for path in paths[:MOST_FILES]:
        notes = Notes(f"{prefix}/media/{path.name}", found)
        if (medium := _one(path, notes)) and notes.clean:
            media[path.name] = medium
    for path in paths[MOST_FILES:MOST_FILES + 1]:
        Notes(f"{prefix}/media/{path.name}", found).add(1, _("a course has at most %(n)s pictures", n=MOST_FILES))
    return media


def _one(path: Path, notes: Notes) -> Medium | None:
    most = MOST_BYTES.get(path.suffix)
    if most is None or not NAME.match(path.name):
        notes.add(1, _("pictures are svg, png or webp, named in small letters, digits, hyphens and dots"))
        return None
    if path.is_symlink() or not path.is_file():
        notes.add(1, _("is a link; put the file itself here"))
        return None
    if (size := path.stat().st_size) > most:
        notes.add(1, _("has %(size)s KB; at most %(most)s KB load on a bus", size=-(-size // 1000), most=most // 1000))
        return None
    body = path.read_bytes()
    width, height = {".svg": check_svg, ".png": _png, ".webp": _webp}[path.suffix](body, notes)
    return Medium(path.name, body, width, height)


def check_svg(body: bytes, notes: Notes) -> tuple[int, int]:
    """Width and height of an SVG that draws and does nothing else; whatever else it does is noted."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        notes.add(error.lineno or 1, _("is no well-formed SVG: %(problem)s", problem=error.msg))
        return 0, 0
    if root.getroottree().docinfo.doctype:
        notes.add(1, _("an SVG here has no DOCTYPE; remove it"))
    for element in (*root.itersiblings(preceding=True), *root.iter(), *root.itersiblings()):
        _element(element, notes)
    return _box(root, notes)


def _element(element: etree._Element, notes: Notes) -> None:
    line = int(element.sourceline or 1)  # type: ignore[arg-type,call-overload]
    if not isinstance(element.tag, str):
        if not isinstance(element, etree._Comment):
            notes.add(line, _("an SVG here has no processing instructions and no entities; remove them"))
        return
    if not element.tag.startswith(_SVG):
        if not _within_metadata(element):
            notes.add(line, _("<%(tag)s> is not allowed in a picture", tag=etree.QName(element).localname))
        return
    name = element.tag.removeprefix(_SVG)
    if name not in _ELEMENTS:
        notes.add(line, _("<%(tag)s> is not allowed in a picture", tag=name))
    for key, value in element.attrib.items():
        if etree.QName(key).localname.lower().startswith("on"):
            notes.add(line, _("a picture has no scripts; remove %(name)s", name=str(key)))
        elif key in _HREFS:
            if not str(value).startswith("#"):
                notes.add(line, _("a picture refers to nothing outside itself; remove %(name)s", name=str(value)[:40]))
        elif _REFERS.search(str(value)):
            notes.add(line, _("a picture refers to nothing outside itself; remove %(name)s", name=str(value)[:40]))
    if name == "style" and _REFERS.search(element.text or ""):
        notes.add(line, _("a picture refers to nothing outside itself; remove %(name)s", name="style"))


def _within_metadata(element: etree._Element) -> bool:
    return any(parent.tag == _SVG + "metadata" for parent in element.iterancestors())


def _box(root: etree._Element, notes: Notes) -> tuple[int, int]:
    """Width and height by the viewBox, which a picture must have to be scaled."""
    if root.tag != _SVG + "svg":
        notes.add(1, _("is no SVG: the outermost element is not <svg> with its namespace"))
        return 0, 0
    try:
        _x, _y, width, height = (float(part) for part in re.split(r"[\s,]+", root.get("viewBox", "").strip()))
        if not (1 <= width <= 10_000 and 1 <= height <= 10_000):
            raise ValueError
    except ValueError:
        notes.add(1, _("<svg> needs a viewBox of four numbers, such as “0 0 640 400”"))
        return 0, 0
    return round(width), round(height)


def _png(body: bytes, notes: Notes) -> tuple[int, int]:
    if body[:8] != b"\x89PNG\r\n\x1a\n" or body[12:16] != b"IHDR":
        notes.add(1, _("is no %(kind)s file", kind="PNG"))
        return 0, 0
    return int.from_bytes(body[16:20]), int.from_bytes(body[20:24])


def _webp(body: bytes, notes: Notes) -> tuple[int, int]:
    if body[:4] != b"RIFF" or body[8:12] != b"WEBP":
        notes.add(1, _("is no %(kind)s file", kind="WebP"))
        return 0, 0
    if body[12:16] == b"VP8X":
        return int.from_bytes(body[24:27], "little") + 1, int.from_bytes(body[27:30], "little") + 1
    if body[12:16] == b"VP8 ":
        return int.from_bytes(body[26:28], "little") & 0x3FFF, int.from_bytes(body[28:30], "little") & 0x3FFF
    bits = int.from_bytes(body[21:25], "little")
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
