"""Photos of strangers: only what is seen comes through, and nothing that they hold breaks or fills anything."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from portal.core.errors import Invalid
from portal.reports import photo, photo_child
from tests.reports.conftest import jpeg

MARK = b"OURS-TO-HIDE-22.69101"


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def png_of(width: int, height: int, body: bytes | None = None, *chunks: tuple[bytes, bytes]) -> bytes:
    """A black-and-white PNG whose lines are all zeros, however large: a few kilobytes."""
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    lines = body if body is not None else zlib.compress(bytes((width + 7) // 8 + 1) * height, 9)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunk(*c) for c in chunks) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


def with_exif() -> bytes:
    """A photo that says where it was taken, with what, and that the phone lay on its side."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0112], exif[0x9286] = MARK.decode(), 6, MARK
    exif.get_ifd(0x8825).update({1: "N", 2: (22.0, 41.0, 27.6), 3: "E", 4: (114.0, 20.0, 45.0)})
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><creator>' + MARK + b"</creator></x:xmpmeta>"
    return jpeg(60, 40, exif=exif.tobytes(), xmp=xmp, comment=MARK, icc_profile=MARK * 3000)


def fault_of(body: bytes) -> str:
    with pytest.raises(photo_child.Fault) as refused:
        photo_child.remade(body)
    return refused.value.key


def test_nothing_but_what_is_seen_comes_through() -> None:
    sent = with_exif() + b"PK\x03\x04" + MARK + b"<script>alert(1)</script>"  # a second file behind the photo
    assert sent.count(MARK) > 100
    made = photo.make(sent)
    for kept in (made.body, made.small):
        assert MARK not in kept
        assert b"PK\x03\x04" not in kept
        assert b"<script" not in kept
        image = Image.open(io.BytesIO(kept))
        assert not image.getexif()
        assert not {"icc_profile", "comment", "exif", "xmp"} & set(image.info)
    assert (made.width, made.height) == (40, 60)  # it stands upright as the phone said


@pytest.mark.parametrize(("form", "mode"), [("PNG", "RGBA"), ("PNG", "P"), ("PNG", "I;16"), ("PNG", "1"), ("WEBP", "RGB"),
                                            ("JPEG", "L"), ("JPEG", "CMYK")])
def test_every_form_that_phones_send_becomes_a_plain_jpeg(form: str, mode: str) -> None:
    width, height, body, small = photo_child.remade(encoded(Image.new(mode, (2000, 1500)), form))
    image = Image.open(io.BytesIO(body))
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (width, height)) == ("JPEG", "RGB", (1600, 1200))
    assert max(Image.open(io.BytesIO(small)).size) <= photo_child.SMALL


def test_a_photo_of_eighty_megapixels_is_taken_at_a_fraction_of_its_size() -> None:
    Image.MAX_IMAGE_PIXELS = None
    sent = encoded(Image.new("L", (10_400, 7_800), 90), "JPEG", quality=30)
    made = photo.make(sent)  # in the child, whose memory could not hold it three times
    assert max(made.width, made.height) == photo_child.SIDE
    assert len(made.body) < 200_000


def test_what_would_fill_the_memory_is_refused_before_it_is_unpacked() -> None:
    bomb = png_of(20_000, 10_000)
    assert len(bomb) < 50_000
    assert fault_of(bomb) == "pixels"
    flat = png_of(40, 40, zlib.compress(bytes(60_000_000), 9))  # far more lines than the head says
    width, height, _body, _small = photo_child.remade(flat)
    assert (width, height) == (40, 40)
    with pytest.raises(ValueError, match="Decompressed data too large"):  # "damaged" for whoever sent it
        photo_child.remade(png_of(64, 64, None, (b"zTXt", b"a\0\0" + zlib.compress(bytes(60_000_000), 9))))


def test_a_zip_a_page_a_script_or_a_damaged_file_is_no_photo() -> None:
    assert fault_of(b"PK\x03\x04" + bytes(5000)) == "type"
    assert fault_of(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>") == "type"
    assert fault_of(b"GIF89a" + bytes(200)) == "type"
    assert fault_of(b"\x00\x00\x00\x18ftypheic" + bytes(200)) == "heic"
    assert fault_of(encoded(Image.new("RGB", (8, 8)), "PNG")) == "tiny"
    with pytest.raises(Invalid) as refused:
        photo.make(jpeg(600, 400)[:2000])
    assert refused.value.problems[0].message is photo.WORDS["damaged"]
    with pytest.raises(Invalid) as refused:
        photo.make(b"\xff\xd8\xff" + bytes(photo.LARGEST))
    assert refused.value.problems[0].message is photo.WORDS["large"]


def test_a_reader_that_breaks_or_hangs_costs_one_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo, "MEMORY", 8 * 2**20)  # the library itself does not fit into that
    with pytest.raises(Invalid) as refused:
        photo.make(jpeg())
    assert refused.value.problems[0].field == "photos"


@settings(max_examples=40)
@given(st.binary(max_size=300), st.integers(0, 600), st.sampled_from(["JPEG", "PNG", "WEBP"]))
def test_whatever_is_done_to_a_photo_it_is_read_or_refused(noise: bytes, at: int, form: str) -> None:
    whole = encoded(Image.linear_gradient("L").convert("RGB").resize((64, 64)), form)
    at = min(at, len(whole))
    try:
        width, height, body, _small = photo_child.remade(whole[:at] + noise + whole[at + len(noise):])
    except Exception:  # the child says "damaged" for each
        return
    assert Image.open(io.BytesIO(body)).size == (width, height)
