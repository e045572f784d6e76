"""Finding the credential in what somebody sends: the token itself, an SVG or PNG badge, the PDF. Every file may be hostile.

Nothing is drawn, run or fetched. Of a PDF the streams are looked through for a token, which needs no reader of PDF, whose faults
would be ours: it finds our own attachment, and that of a file that another program has saved again.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator

from lxml import etree

from portal.training.certificates.signing import LONGEST

#: Bytes of the largest file that is looked at.
LARGEST = 1_500_000
NAMESPACE = "https://purl.imsglobal.org/ob/v3p0"
KEYWORD = b"openbadgecredential"
_PNG = b"\x89PNG\r\n\x1a\n"
_TOKEN = re.compile(rb"eyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
#: What may be a token, as long as it goes on: looked for where it begins only, or a file of runs that are a little too short
#: would be read two hundred times over.
_RUN = re.compile(rb"(?<![A-Za-z0-9_.-])[A-Za-z0-9_.-]{200,}")
_STREAM = re.compile(rb"stream\r?\n")
#: Streams of a PDF that are unpacked, and bytes that may come out of all of them.
_MOST_STREAMS, _MOST_UNPACKED = 400, 8_000_000


class NoCredential(ValueError):
    """Nothing was found in it."""


def token_in(body: bytes) -> str:
    """The compact token in a file or in pasted text. Raises NoCredential: none, too large, or several that differ."""
    if len(body) > LARGEST:
        raise NoCredential("too large")
    if body.startswith(_PNG):
        found = list(_in_png(body))[:1]  # of several the first counts, as the standard says
    elif body.lstrip()[:5] == b"%PDF-" or b"%PDF-" in body[:1024]:
        found = list(dict.fromkeys(_in_pdf(body)))
    elif (stripped := body.removeprefix(b"\xef\xbb\xbf").lstrip()).startswith(b"<"):
        found = _in_svg(stripped)
    else:
        found = [b"".join(body.split())]  # mails break long lines
    if len(found) != 1 or len(found[0]) > LONGEST or not _TOKEN.fullmatch(found[0]):
        raise NoCredential("several" if len(found) > 1 else "none")
    return found[0].decode("ascii")


def _in_png(body: bytes) -> Iterator[bytes]:
    """The text of the first iTXt chunk of that keyword (W3C PNG, 11.3.4.5); uncompressed, as Open Badges demand."""
    at = len(_PNG)
    while at + 12 <= len(body):
        size, kind = struct.unpack_from(">I4s", body, at)
        data = body[at + 8:at + 8 + size]
        if kind == b"iTXt" and len(data) == size:
            keyword, _nul, rest = data.partition(b"\0")
            if keyword == KEYWORD and rest[:1] == b"\0":
                yield rest[2:].split(b"\0", 2)[-1]
                return
        if kind == b"IEND":
            return
        at += 12 + size


def _in_svg(body: bytes) -> list[bytes]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise NoCredential("not readable") from error
    verify = (one.get("verify") for one in root.iter(f"{{{NAMESPACE}}}credential"))
    return [text.strip().encode("ascii", "replace") for text in verify if text][:1]


def _in_pdf(body: bytes) -> Iterator[bytes]:
    left, seen = _MOST_UNPACKED, 0
    view = memoryview(body)
    yield from _tokens(body)
    for match in _STREAM.finditer(body):
        seen += 1
        if seen > _MOST_STREAMS or left <= 0:
            return
        unpack = zlib.decompressobj()
        try:
            text = unpack.decompress(view[match.end():], min(left, 400_000))
        except zlib.error:
            continue
        left -= len(text)
        yield from _tokens(text)


def _tokens(body: bytes) -> Iterator[bytes]:
    """`endstream` follows without a gap where a writer of PDF leaves none."""
    runs = (run.removesuffix(b"endstream") for run in _RUN.findall(body))
    return (run for run in runs if _TOKEN.fullmatch(run))


def baked(svg: str, token: str) -> str:
    """`svg` with the token in it. Raises ValueError where it has no root element."""
    match = re.search(r"<svg\b([^>]*)>", svg)
    if match is None:
        raise ValueError("no <svg>")
    opened = f'<svg xmlns:openbadges="{NAMESPACE}"{match[1]}>\n<openbadges:credential verify="{token}"></openbadges:credential>'
    return svg[:match.start()] + opened + svg[match.end():]
