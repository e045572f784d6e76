"""What a reader of a PDF finds: with PDFium, which browsers use."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pypdfium2
import pypdfium2.raw as raw
import zxingcpp

A4 = (595.28, 841.89)


@contextmanager
def opened(pdf: bytes) -> Iterator[pypdfium2.PdfDocument]:
    document = pypdfium2.PdfDocument(pdf)
    try:
        yield document
    finally:
        document.close()


def sizes(pdf: bytes) -> list[tuple[float, float]]:
    with opened(pdf) as document:
        return [tuple(round(v, 2) for v in document.get_page_size(n)) for n in range(len(document))]  # type: ignore[misc]


def text(pdf: bytes, page: int = 0) -> str:
    """The text of a page on one line: where Chinese goes on, nothing stands between."""
    with opened(pdf) as document:
        found = document[page].get_textpage().get_text_range()
    return re.sub(r"\s*[\r\n]+\s*", " ", re.sub(r"(?<=[\u3000-\uffef])[\r\n]+(?=[\u3000-\uffef])", "", found))


def qr(pdf: bytes, page: int = 0, scale: float = 2.5) -> list[str]:
    """What a camera reads from the printed page."""
    with opened(pdf) as document:
        return [found.text for found in zxingcpp.read_barcodes(document[page].render(scale=scale).to_pil())]


def metadata(pdf: bytes) -> dict[str, str]:
    with opened(pdf) as document:
        return document.get_metadata_dict()


def fonts(pdf: bytes) -> dict[str, bool]:
    """Base name of each font that the text uses → whether it is embedded."""
    found: dict[str, bool] = {}
    with opened(pdf) as document:
        for number in range(len(document)):
            for thing in document[number].get_objects(filter=[raw.FPDF_PAGEOBJ_TEXT]):
                font = raw.FPDFTextObj_GetFont(thing.raw)
                found[_name(font)] = bool(raw.FPDFFont_GetIsEmbedded(font))
    return found


def _name(font: object) -> str:
    target = ctypes.create_string_buffer(raw.FPDFFont_GetBaseFontName(font, None, 0))
    raw.FPDFFont_GetBaseFontName(font, target, len(target))
    return target.value.decode()
