"""The certificate on paper: A4, landscape, Chinese with English beside it, the QR code that leads to its verification, and the
signed credential attached to the file, so that it can be verified without asking for a serial."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import segno
from reportlab.lib.colors import HexColor
from reportlab.pdfbase import pdfdoc
from reportlab.pdfgen.canvas import Canvas

from portal.training.certificates import letters
from portal.training.certificates import serial as serials
from portal.web import fonts

WIDTH, HEIGHT = 841.89, 595.28
ATTACHED = "credential.jwt"
_INK, _SOFT, _LINE, _ACCENT = (HexColor(v) for v in ("#15202b", "#4a5866", "#8794a1", "#0b5876"))
_REGULAR, _BOLD = fonts.REGULAR, fonts.BOLD
_MIDDLE = WIDTH / 2
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December")


@dataclass(frozen=True, slots=True)
class Printed:
    """What stands on it. Texts by language; days in the district's zone; `address`: where the QR code leads; `renewed`: it
    prolongs another one; `rare`: a font file for rare characters, or empty."""

    name: str
    title: Mapping[str, str]
    hours: Mapping[str, str]
    checked: Mapping[str, str]
    authority: Mapping[str, str]
    serial: str
    issued: date
    until: date | None
    renewed: bool
    address: str
    token: str
    rare: str = ""


def pdf(one: Printed) -> bytes:
    """The file. The same facts give the same bytes."""
    fonts.ready()
    target = io.BytesIO()
    canvas: Any = Canvas(target, pagesize=(WIDTH, HEIGHT), invariant=1, pageCompression=1, lang="zh-CN", initialFontName=_REGULAR)
    canvas.setTitle(f"{one.title['zh']} {serials.shown(one.serial)}")
    canvas.setAuthor(one.authority["zh"])
    canvas.setCreator("Anlan")
    canvas.setProducer("Anlan")
    canvas.setViewerPreference("DisplayDocTitle", "true")
    _frame(canvas)
    _head(canvas, one)
    _body(canvas, one)
    _foot(canvas, one)
    _attach(canvas, one.token)
    canvas.showPage()
    canvas.save()
    return target.getvalue()


def zh_day(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


def en_day(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


# -- drawing -------------------------------------------------------------------------------------------------
def _frame(canvas: Any) -> None:
    canvas.setStrokeColor(_ACCENT)
    for inset, width in ((24, 2.2), (30, 0.6)):
        canvas.setLineWidth(width)
        canvas.rect(inset, inset, WIDTH - 2 * inset, HEIGHT - 2 * inset)


def _head(canvas: Any, one: Printed) -> None:
    _centred(canvas, one.authority["zh"], 528, 15, _BOLD)
    _centred(canvas, one.authority["en"], 511, 9.5, color=_SOFT)
    _centred(canvas, _spaced("培训合格证书"), 455, 36, _BOLD, color=_ACCENT)
    _centred(canvas, "CERTIFICATE OF COMPETENCE" + (" · RENEWED" if one.renewed else ""), 433, 11, color=_SOFT)


def _body(canvas: Any, one: Printed) -> None:
    name = letters.line(one.name, _BOLD, one.rare)
    size = _fitting(name, 30, 560)
    canvas.setFillColor(_INK)
    _pieces(canvas, name, 378, size)
    half = max(110.0, name.width(size) / 2 + 26)
    canvas.setStrokeColor(_LINE)
    canvas.setLineWidth(0.7)
    canvas.line(_MIDDLE - half, 367, _MIDDLE + half, 367)
    if name.note:
        told = "（字库缺字，以身份证件所载为准 · not in the font; see the identity document）"
        _centred(canvas, name.note + told, 354, 8, color=_SOFT)
    if one.renewed:
        zh, en = f"按规定完成《{one.title['zh']}》续证学习，", f'has completed the renewal of "{one.title["en"]}"'
    else:
        zh = f"按规定完成全部课程《{one.title['zh']}》（{one.hours['zh']}），"
        en = f'has completed the course "{one.title["en"]}" ({one.hours["en"]})'
    _centred(canvas, zh, 323, 16, room=690)
    _centred(canvas, f"{one.checked['zh']}，成绩合格，特发此证。", 296, 16, room=690)
    _centred(canvas, en, 262, 10.5, color=_SOFT, room=690)
    _centred(canvas, f"and passed {one.checked['en']}.", 247, 10.5, color=_SOFT, room=690)


def _foot(canvas: Any, one: Printed) -> None:
    until = (zh_day(one.until), en_day(one.until)) if one.until else ("长期有效", "no end")
    rows = [("证书编号", "Serial", serials.shown(one.serial), ""),
            ("发证日期", "Issued", zh_day(one.issued), en_day(one.issued)), ("有效期至", "Valid until", *until)]
    for at, (zh, en, value, english) in enumerate(rows):
        y = 172 - at * 34
        _text(canvas, zh, 72, y, 10.5, _BOLD)
        _text(canvas, en, 72, y - 12, 8, color=_SOFT)
        _text(canvas, value, 134, y, 13 if at else 15, _BOLD)
        if english:
            _text(canvas, english, 134, y - 12, 8, color=_SOFT)
    _centred(canvas, one.authority["zh"], 128, 12, _BOLD, middle=436)
    _centred(canvas, "（发证机关盖章）", 110, 8.5, color=_SOFT, middle=436)
    _centred(canvas, "Issuing authority, seal", 98, 8, color=_SOFT, middle=436)
    _qr(canvas, one.address, 650, 82, 108)
    _centred(canvas, "扫码查验真伪与有效状态", 68, 9, _BOLD, middle=704)
    _centred(canvas, "Scan to verify", 57, 8, color=_SOFT, middle=704)
    _text(canvas, one.address, 72, 57, 8, color=_SOFT)


def _qr(canvas: Any, text: str, x: float, y: float, side: float) -> None:
    code = segno.make(text, error="m", boost_error=False)
    rows = list(code.matrix_iter(border=4))
    drawn = []
    for row, bits in enumerate(rows):
        begin = None
        for column, dark in enumerate([*bits, 0]):
            if dark and begin is None:
                begin = column
            elif not dark and begin is not None:
                drawn.append(f"{begin} {len(rows) - row - 1} {column - begin} 1 re")
                begin = None
    canvas.saveState()
    canvas.setFillColor(_INK)
    canvas.translate(x, y)
    canvas.scale(side / len(rows), side / len(rows))
    canvas.addLiteral("\n".join([*drawn, "f"]))  # one path in whole units: a third of the time that single rectangles take
    canvas.restoreState()


def _centred(canvas: Any, text: str, y: float, size: float, font: str = _REGULAR, *, color: Any = _INK, middle: float = _MIDDLE,
             room: float = 740) -> None:
    drawn = letters.line(text, font)
    size = _fitting(drawn, size, room)
    canvas.setFillColor(color)
    _pieces(canvas, drawn, y, size, middle=middle)


def _pieces(canvas: Any, drawn: letters.Line, y: float, size: float, *, middle: float = _MIDDLE) -> None:
    x = middle - drawn.width(size) / 2
    for font, text in drawn.pieces:
        canvas.setFont(font, size)
        canvas.drawString(x, y, text)
        x += fonts.width(text, font, size)


def _text(canvas: Any, text: str, x: float, y: float, size: float, font: str = _REGULAR, *, color: Any = _INK) -> None:
    canvas.setFillColor(color)
    canvas.setFont(font, size)
    canvas.drawString(x, y, fonts.printable(text)[0])


def _fitting(drawn: letters.Line, size: float, room: float) -> float:
    wide = drawn.width(size)
    return size if wide <= room else size * room / wide


def _spaced(text: str) -> str:
    return "\u2002".join(text) if fonts.has("\u2002", _BOLD) else " ".join(text)


# -- the credential in the file ------------------------------------------------------------------------------
def _attach(canvas: Any, token: str) -> None:
    """As an embedded file (PDF 32000-1, 7.11.4), unpacked, and named among the associated files."""
    document, name = canvas._doc, pdfdoc.PDFString(ATTACHED)
    stream = pdfdoc.PDFStream(content=token)
    stream.filters = []
    stream.dictionary["Type"] = pdfdoc.PDFName("EmbeddedFile")
    stream.dictionary["Subtype"] = "/application#2Fjwt"  # the library writes a slash within a name as it is, which ends the name
    file = document.Reference(stream)
    specification = document.Reference(pdfdoc.PDFDictionary({
        "Type": pdfdoc.PDFName("Filespec"), "F": name, "UF": name, "AFRelationship": pdfdoc.PDFName("Source"),
        "Desc": pdfdoc.PDFString("Open Badges 3.0 credential"), "EF": pdfdoc.PDFDictionary({"F": file, "UF": file})}))
    catalog = document.Catalog
    catalog.__NoDefault__ = [*catalog.__NoDefault__, "Names", "AF"]
    names = pdfdoc.PDFDictionary({"Names": pdfdoc.PDFArray([name, specification])})
    catalog.Names, catalog.AF = pdfdoc.PDFDictionary({"EmbeddedFiles": names}), pdfdoc.PDFArray([specification])
