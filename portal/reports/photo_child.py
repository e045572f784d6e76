"""Reads one photo of a stranger in a process of its own, whose memory and time are bounded, and makes it anew.

Started by `reports.photo` as a file, so that nothing of the portal is loaded: reads the photo from standard input, and writes to
standard output what was made of it, or one line of JSON that says why nothing was. Only what is seen comes through: pixels go
into a new picture, and what stood around them (where and with what it was taken, profiles, comments, a second file behind the
first) stays behind.
"""

from __future__ import annotations

import contextlib
import io
import json
import resource
import struct
import sys
from typing import Any, NoReturn

FAULT = 3
#: Width, height, and the bytes of the photo and of the small one.
HEAD = struct.Struct(">IIII")
#: Longest side in pixels of what is kept: enough to read a house number.
SIDE, SMALL = 1600, 320
QUALITY, SMALL_QUALITY = 80, 70
#: Million pixels. A JPEG is decoded at a fraction of its size, unless it is progressive: then all of it is held in memory.
MOST_JPEG, MOST_PROGRESSIVE, MOST_OTHER = 250, 50, 40


class Fault(Exception):
    """Why there is no photo: a key of `reports.photo.WORDS`, and a number for its words."""

    def __init__(self, key: str, number: int = 0) -> None:
        super().__init__(key)
        self.key, self.number = key, number


def kind_of(body: bytes) -> str:
    """What the first bytes say it is, whatever it is called. Raises Fault."""
    if body.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if body.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "WEBP"
    if body[4:8] == b"ftyp" and body[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"hevc", b"avif"):
        raise Fault("heic")
    raise Fault("type")


def remade(body: bytes) -> tuple[int, int, bytes, bytes]:
    """Width, height, the photo and the small one, both JPEG. Raises Fault."""
    kind = kind_of(body)
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = None  # bounded here, by what each format costs
    image: Any = Image.open(io.BytesIO(body), formats=[kind])
    _bounded(image, kind)
    if kind == "JPEG":
        image.draft("RGB", (SIDE, SIDE))
    image.load()
    image = _eight_bits(image)
    image.thumbnail((SIDE, SIDE), reducing_gap=2.0)
    with contextlib.suppress(Exception):  # what says how the phone was held may be anything; the photo then stays as it lies
        image = ImageOps.exif_transpose(image)
    clean = _on_white(image)
    small = clean.copy()
    small.thumbnail((SMALL, SMALL))
    return clean.width, clean.height, _jpeg(clean, QUALITY), _jpeg(small, SMALL_QUALITY)


def _bounded(image: Any, kind: str) -> None:
    million = image.width * image.height / 1e6
    most = MOST_OTHER if kind != "JPEG" else MOST_PROGRESSIVE if image.info.get("progressive") else MOST_JPEG
    if million > most or max(image.size) > 65_000:
        raise Fault("pixels", most)
    if min(image.size) < 16:
        raise Fault("tiny")


def _eight_bits(image: Any) -> Any:
    """Of sixteen bits a pixel the upper eight, which alone can be made smaller."""
    deep = image.mode.startswith("I") or image.mode == "F"
    return image.convert("F").point(lambda v: v / 256).convert("L") if deep else image


def _on_white(image: Any) -> Any:
    """The pixels alone, in a new picture; what is seen through is white."""
    from PIL import Image

    clean = Image.new("RGB", image.size, (255, 255, 255))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        clean.paste(image, mask=image.getchannel("A"))
    else:
        clean.paste(image.convert("RGB"))
    return clean


def _jpeg(image: Any, quality: int) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, optimize=True)
    return out.getvalue()


def main(arguments: list[str]) -> NoReturn:
    memory, seconds = map(int, arguments)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes to the pipe, and no file
    try:
        width, height, photo, small = remade(sys.stdin.buffer.read())
    except Fault as fault:
        _tell(fault.key, fault.number)
    except MemoryError:
        _tell("pixels", MOST_OTHER)
    except Exception:  # whatever a damaged or hostile file makes the library say
        _tell("damaged")
    sys.stdout.buffer.write(HEAD.pack(width, height, len(photo), len(small)) + photo + small)
    sys.stdout.flush()
    sys.exit(0)


def _tell(key: str, number: int = 0) -> NoReturn:
    sys.stdout.write(json.dumps({"fault": key, "number": number}))
    sys.stdout.flush()
    sys.exit(FAULT)


if __name__ == "__main__":
    main(sys.argv[1:])
