"""Pictures that came within a file, made fit for a course: small, of a kind that courses have, named by what is in them."""

from __future__ import annotations

import hashlib
import io
import re
from base64 import b64decode
from binascii import Error as BadBase64
from dataclasses import dataclass, field
from urllib.parse import unquote

from PIL import Image, UnidentifiedImageError

from portal.training.content import media
from portal.training.content.faults import Fault, Notes

MOST_PICTURES, MOST_PIXELS, MOST_RAW = 200, 20_000_000, 6_000_000
#: Pixels of all pictures of a file together: what is one colour takes few bytes and long to be made smaller all the same.
MOST_PIXELS_IN_ALL = 200_000_000
_WIDEST = 1200
_STEPS = ((1.0, 80), (0.75, 70), (0.5, 60))
_DATA = re.compile(r"data:image/[a-z+.-]{2,20};base64,([A-Za-z0-9+/=\s]+)\Z", re.ASCII)
_PLUGIN = "@@PLUGINFILE@@/"


@dataclass(slots=True)
class Pictures:
    """`made`: name → body of what was taken so far. `tried`: base64 of each that was looked at → its name, or None; a file may
    show one picture thousands of times. `pixels`: of all together."""

    made: dict[str, bytes] = field(default_factory=dict)
    tried: dict[str, str | None] = field(default_factory=dict)
    pixels: int = 0

    def take(self, source: str, files: dict[str, str]) -> str | None:
        """The name of the medium at an address in a text, or None where it cannot be taken. `files`: name → base64 of the files
        that came with the text. Nothing is ever fetched."""
        if source.startswith(_PLUGIN):
            packed = files.get(unquote(source.removeprefix(_PLUGIN).partition("?")[0]))
        else:
            packed = found[1] if (found := _DATA.match(source)) else None
        if packed is None or len(packed) > MOST_RAW * 4 // 3:
            return None
        if packed not in self.tried:
            if len(self.tried) >= MOST_PICTURES:
                return None
            self.tried[packed] = self._made(packed)
        return self.tried[packed]

    def _made(self, packed: str) -> str | None:
        try:
            body = b64decode(packed)
        except (BadBase64, ValueError):
            return None
        fit = _svg(body) if body.lstrip()[:1] == b"<" else self._drawn(body)
        if fit is None:
            return None
        ending, small = fit
        name = f"import-{hashlib.sha256(small).hexdigest()[:12]}.{ending}"
        self.made[name] = small
        return name

    def _drawn(self, body: bytes) -> tuple[str, bytes] | None:
        """A photograph or drawing as WebP, made smaller until it is small enough, without what it says of place and camera."""
        try:
            with Image.open(io.BytesIO(body), formats=("PNG", "JPEG", "GIF", "WEBP")) as image:
                pixels = image.width * image.height
                if pixels > MOST_PIXELS or self.pixels + pixels > MOST_PIXELS_IN_ALL:
                    return None
                self.pixels += pixels
                image.load()
                shown = image.convert("RGBA" if "A" in image.getbands() or "transparency" in image.info else "RGB")
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            return None
        return _small(shown)


def _svg(body: bytes) -> tuple[str, bytes] | None:
    """An SVG as it is, where courses may have it."""
    found: list[Fault] = []
    if len(body) > media.MOST_BYTES[".svg"]:
        return None
    media.check_svg(body, Notes("", found))
    return None if found else ("svg", body)


def _small(shown: Image.Image) -> tuple[str, bytes] | None:
    for share, quality in _STEPS:
        wide = max(1, round(min(shown.width, _WIDEST) * share))
        small = shown.resize((wide, max(1, round(shown.height * wide / shown.width)))) if wide != shown.width else shown
        target = io.BytesIO()
        small.save(target, "WEBP", quality=quality)
        if target.tell() <= media.MOST_BYTES[".webp"]:
            return "webp", target.getvalue()
    return None
