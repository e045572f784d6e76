"""How long certificates take: 1,000 as PDF, each a file of its own, beside 1,000 bare pages of the library in the same typeface.

`python tools/measure_certificates.py` prints a table; a number behind it makes another count. The reference writes a file for
each as well, with the same number of lines in both weights and nothing else: what the library and embedding the typeface cost.
Signing and verifying stand around it. Nothing is asserted: machines differ. On a busy one the clock goes on while others work, so
that the processor's time is told beside it.
"""

from __future__ import annotations

import io
import random
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from reportlab.pdfgen.canvas import Canvas

from portal.config import Settings
from portal.training.certificates import badge, carriers, credential, serial, sheet, signing, status_list
from portal.training.content.reader import read
from portal.web import fonts

COUNT, LIMIT = 1000, 30.0
SURNAMES, GIVEN = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨", "一帆小满知夏秋实晓岚思远雨桐子墨若溪安然"
AUTHORITY = {"zh": "坪山区应急管理局（演示）", "en": "Pingshan Emergency Management Bureau (demonstration)"}


def timed(name: str, count: int, work: Callable[[], int]) -> tuple[float, float]:
    """Print what `work` took and how many bytes it made; the seconds, and those of the processor."""
    begun, used = time.perf_counter(), time.process_time()
    size = work()
    seconds, busy = time.perf_counter() - begun, time.process_time() - used
    each = f"{busy / count * 1000:>9.2f} ms each{size / 1024 / count:>8.1f} KB each"
    print(f"{name:<44}{seconds:>8.2f} s{busy:>9.2f} s of processor{each}")
    return seconds, busy


def reference(printed: list[sheet.Printed]) -> int:
    """A bare page for each: the same typeface in both weights, as many lines as a certificate has."""
    size = 0
    for one in printed:
        target = io.BytesIO()
        canvas = Canvas(target, pagesize=(sheet.WIDTH, sheet.HEIGHT), invariant=1, pageCompression=1)
        for n in range(22):
            canvas.setFont(fonts.BOLD if n % 3 == 0 else fonts.REGULAR, 11)
            words = f"{one.name} {one.title['zh']} {one.serial} {one.authority['zh']} {one.hours['zh']}"
            canvas.drawString(60, 540 - n * 22, words)
        canvas.showPage()
        canvas.save()
        size += len(target.getvalue())
    return size


def main(count: int) -> None:
    course = read(Path(__file__).resolve().parent.parent / "content" / "courses" / "first-responder", banks=False).course
    if course is None:
        sys.exit("the course first-responder cannot be read")
    chance = random.Random(7)  # noqa: S311  (invented names)
    at, begins = credential.Addresses("https://warn.example"), datetime(2026, 11, 25, 4, tzinfo=UTC)
    with tempfile.TemporaryDirectory() as folder:
        key = signing.known(Settings(instance=Path(folder)))[-1]
    fonts.ready()
    names = [chance.choice(SURNAMES) + "".join(chance.sample(GIVEN, 2)) for _one in range(count)]
    facts = [credential.Facts(serial.new(), f"urn:uuid:{n}", name, "ab" * 16, begins, begins + timedelta(days=730), n)
             for n, name in enumerate(names)]
    tokens: list[str] = []

    def sign() -> int:
        tokens.extend(signing.sign(credential.build(one, course, AUTHORITY, at, status_list.SIZE), key, at.key(key.thumbprint))
                      for one in facts)
        return sum(map(len, tokens))

    timed(f"{count:,} credentials signed (RSA {signing.BITS})", count, sign)
    printed = [sheet.Printed(
        name=one.name, title={"zh": course.title["zh"], "en": course.title["en"]},
        hours={"zh": "理论16学时、实操12学时、考核4学时", "en": "16 h of theory, 12 h of practice, 4 h of assessment"},
        checked={"zh": "经理论考试和实操考核", "en": "its theory exam and practical assessments"}, authority=AUTHORITY,
        serial=one.serial, issued=date(2026, 11, 25), until=date(2028, 11, 24), renewed=False, address=at.certificate(one.serial),
        token=token) for one, token in zip(facts, tokens, strict=True)]
    made: list[bytes] = []

    def draw() -> int:
        made.extend(sheet.pdf(one) for one in printed)
        return sum(map(len, made))

    seconds, busy = timed(f"{count:,} certificates as PDF", count, draw)
    _bare, of_reference = timed(f"reference: {count:,} bare pages", count, lambda: reference(printed))
    limit = LIMIT * count / COUNT
    verdict = "within" if seconds < limit else "within, were the machine free," if busy < limit else "BEYOND"
    print(f"{'':<44}{busy / of_reference:.2f} times the reference; {verdict} the {limit:.0f} s that were asked for")
    timed(f"{count:,} badges", count, lambda: sum(
        len(badge.svg(one.title["zh"], one.title["en"], one.serial, one.until, one.token)) for one in printed))
    trusted = {key.thumbprint: key.rsa}

    def verify() -> int:
        for body, one in zip(made, facts, strict=True):
            if credential.read(signing.verify(carriers.token_in(body), trusted)).serial != one.serial:
                sys.exit("a certificate verifies as another one")
        return 0

    timed(f"{count:,} PDFs verified by their signature", count, verify)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT)
