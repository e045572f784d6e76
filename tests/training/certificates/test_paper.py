"""Certificates on paper: what is printed can be read back, scanned and verified; rare characters are never dropped in silence."""

from __future__ import annotations

import struct
from datetime import date

import pypdfium2
import pytest
import zxingcpp
from lxml import etree
from reportlab.pdfbase.ttfonts import TTFontFile

from portal.training.certificates import badge, carriers, letters, sheet
from portal.web import STATIC, fonts

TOKEN = f"eyJ{'a' * 300}.eyJ{'b' * 2500}.{'c' * 512}"
ADDRESS = "https://warn.example/v/7K3M92XQHTW4"


def printed(**values):
    return sheet.Printed(**({
        "name": "王小明", "title": {"zh": "应急第一响应人", "en": "Emergency First Responder"},
        "hours": {"zh": "理论16学时", "en": "16 h of theory"}, "checked": {"zh": "经理论考试", "en": "its theory exam"},
        "authority": {"zh": "坪山区应急管理局（演示）", "en": "Pingshan Emergency Management Bureau"}, "serial": "7K3M92XQHTW4",
        "issued": date(2026, 11, 25), "until": date(2028, 11, 24), "renewed": False, "address": ADDRESS,
        "token": TOKEN} | values))


def read(body):
    """(text, picture, attachments) of a document of one page."""
    with pypdfium2.PdfDocument(body) as document:
        assert len(document) == 1
        page = document[0]
        words = page.get_textpage()
        found = {document.get_attachment(n).get_name(): bytes(document.get_attachment(n).get_data())
                 for n in range(document.count_attachments())}
        answer = words.get_text_range(), page.render(scale=1.5).to_pil(), found
        words.close()
        page.close()
    return answer


def test_what_is_printed_is_read_back_scanned_and_verified():
    body = sheet.pdf(printed())
    text, picture, attached = read(body)
    for words in ("培训合格证书", "王小明", "《应急第一响应人》", "Emergency First Responder", "7K3M-92XQ-HTW4", "2026年11月25日",
                  "2028年11月24日", "坪山区应急管理局（演示）"):
        assert words in text.replace("\u2002", "").replace(" ", "") or words in text
    assert zxingcpp.read_barcode(picture).text == ADDRESS
    assert attached == {"credential.jwt": TOKEN.encode()}
    assert carriers.token_in(body) == TOKEN
    assert b"/Subtype /application#2Fjwt" in body
    assert picture.width > picture.height


def test_the_same_facts_give_the_same_document():
    assert sheet.pdf(printed()) == sheet.pdf(printed())


def test_a_certificate_without_end_and_a_renewed_one_say_so():
    assert "长期有效" in read(sheet.pdf(printed(until=None)))[0]
    text = read(sheet.pdf(printed(renewed=True)))[0]
    assert "续证" in text
    assert "RENEWED" in text


@pytest.mark.parametrize("name", [
    "阿卜杜热西提·买买提艾力", "Alexandra Konstantinopoulou-Featherstonehaugh de la Cruz", "O’Neill", "㛃"])
def test_names_of_all_lengths_are_printed_whole(name):
    text, _picture, _attached = read(sheet.pdf(printed(name=name)))
    assert name in text
    assert not letters.lacking(name)


# -- rare characters -----------------------------------------------------------------------------------------
RARE = "𠮷"  # U+20BB7: a real name's character that Noto Sans SC lacks


def test_a_rare_character_that_the_font_has_is_printed_and_can_be_searched():
    have = next(chr(point) for point in range(0x20000, 0x2A6E0) if fonts.has(chr(point), letters.line("王").pieces[0][0]))
    text, _picture, _attached = read(sheet.pdf(printed(name=f"王{have}")))
    assert f"王{have}" in text


def test_a_character_that_no_font_has_is_marked_named_and_told_of():
    assert letters.lacking(f"王{RARE}") == (RARE,)
    text, _picture, attached = read(sheet.pdf(printed(name=f"王{RARE}明")))
    assert "王〓明" in text
    assert "〓 = U+20BB7" in text
    assert "字库缺字" in text
    assert attached["credential.jwt"] == TOKEN.encode()


def test_a_second_font_gives_the_character(tmp_path):
    rare = _font_with(ord(RARE), tmp_path / "rare.ttf")
    assert letters.lacking(f"王{RARE}", rare) == ()
    text, _picture, _attached = read(sheet.pdf(printed(name=f"王{RARE}明", rare=rare)))
    assert f"王{RARE}明" in text
    assert "〓" not in text


def test_a_second_font_that_cannot_be_read_costs_no_certificate(tmp_path):
    (tmp_path / "no.ttf").write_bytes(b"no font")
    for path in (str(tmp_path / "no.ttf"), str(tmp_path / "missing.ttf")):
        assert letters.lacking(f"王{RARE}", path) == (RARE,)


def _font_with(point: int, path) -> str:
    """The product's font, in which the neighbour of a code point has given its place to it."""
    source = STATIC / "vendor" / "noto-sans-sc" / "NotoSansSC_400Regular.ttf"
    body = bytearray(source.read_bytes())
    start = TTFontFile(str(source)).get_table_pos("cmap")[0]
    tables = struct.unpack_from(">H", body, start + 2)[0]
    for n in range(tables):
        at = start + struct.unpack_from(">L", body, start + 8 + 8 * n)[0]
        if struct.unpack_from(">H", body, at)[0] != 12:
            continue
        groups = [struct.unpack_from(">3L", body, at + 16 + 12 * g) for g in range(struct.unpack_from(">L", body, at + 12)[0])]
        nearest = max(g for g, (first, last, _glyph) in enumerate(groups) if first == last < point)
        struct.pack_into(">2L", body, at + 16 + 12 * nearest, point, point)
    path.write_bytes(body)
    return str(path)


# -- the badge -----------------------------------------------------------------------------------------------
def test_the_badge_carries_the_credential_and_no_name():
    made = badge.svg("应急第一响应人", "Emergency <First> & Responder", "7K3M92XQHTW4", date(2028, 11, 24), TOKEN)
    root = etree.fromstring(made.encode())
    assert "Emergency <First> & Responder" in "".join(root.itertext())
    assert "有效期至 2028年11月24日" in made
    assert "王" not in made
    assert carriers.token_in(made.encode()) == TOKEN
    assert not root.xpath("//*[local-name()='script' or local-name()='image' or local-name()='foreignObject']")
