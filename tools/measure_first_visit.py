"""How soon a first visitor on a slow 3G phone sees the words of a warning: nothing kept, 400 kbit/s, 400 ms to the server and
back, in a real Chromium by its own throttling (DevTools), beside a bare page of the same bytes.

`python tools/measure_first_visit.py` prints a table: bytes over the air, milliseconds until the first words are painted (First
Contentful Paint, and not before the first instruction has arrived, which must be on the first screen), until the last large
piece is painted (Largest Contentful Paint), and until everything has loaded; the median and the slowest of five visits, each by
a new browser profile. The bare page is one file of plain text without style, script or picture, as long as what the browser
needs before it can paint (the page and its style sheet, as sent): no page of these bytes can be faster here.
The browser's throttling charges each request, but no handshake: a first connection by https takes two journeys more, so
the last line adds them. Goal: the words within 2 s. `--processor 4` slows the processor too, as on a cheap phone.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from flask import Flask
from playwright.sync_api import Browser, sync_playwright
from waitress import create_server

from portal import create_app
from portal.config import Settings
from portal.core.db import db
from portal.models import Base
from portal.regions.importer import import_files
from portal.site.publish import publish
from portal.warnings.models import ALERT, UPDATE
from tests.chromium import CHROMIUM
from tests.site.records import record

ROOT = Path(__file__).resolve().parent.parent
BYTES_A_SECOND, MILLISECONDS, VISITS, GOAL = 400_000 // 8, 400, 5, 2000
BARE = "/bare"
#: The first instruction of a warning's page, the first warning of the front page, the words of the bare page.
_SELECTOR = "main .todo li, main .card h2, p.bare"
_ARRIVED = """(() => { const look = () => { if (window.arrived === undefined && document.querySelector('SELECTOR'))
  window.arrived = performance.now(); }; new MutationObserver(look).observe(document, { childList: true, subtree: true });
})()""".replace("SELECTOR", _SELECTOR)
_WORDS = """() => { const words = document.querySelector('SELECTOR'); if (!words) return null;
  const box = words.getBoundingClientRect();
  return box.height > 0 && box.top < innerHeight ? words.textContent : null; }""".replace("SELECTOR", _SELECTOR)


class Site:
    """The published pages, and the bare page beside them."""

    def __init__(self, app: Flask) -> None:
        self.app, self.bare = app, b""

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        if environ["PATH_INFO"] != BARE:
            return self.app(environ, start)
        start("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(self.bare)))])
        return [self.bare]


def site(folder: Path) -> Site:
    """A district with its outlines, a red warning with an update."""
    app = create_app(Settings(instance=folder, surfaces="site", secret_key="measure " * 6,  # type: ignore[arg-type]
                              phone_key="ab" * 32, public_url="http://localhost"))  # type: ignore[arg-type]
    with app.app_context():
        Base.metadata.create_all(db.engine)
        import_files([ROOT / "content" / "regions" / "440310.csv", ROOT / "content" / "regions" / "440310.geojson"])
        record("20261122-01", kinds=(ALERT, UPDATE))
    publish(app)
    return Site(app)


def sent(app: Flask, path: str) -> int:
    return len(app.test_client().get(path, headers={"Accept-Encoding": "br"}).data)


def visit(browser: Browser, address: str, processor: float) -> dict[str, float]:
    """One first visit: milliseconds and bytes."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, device_scale_factor=2, is_mobile=True, locale="zh-CN",
                                  service_workers="block")
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", {"offline": False, "latency": MILLISECONDS,
                                                      "downloadThroughput": BYTES_A_SECOND, "uploadThroughput": BYTES_A_SECOND})
    session.send("Emulation.setCPUThrottlingRate", {"rate": processor})
    page.add_init_script(_ARRIVED)
    received = [0.0]
    session.on("Network.loadingFinished", lambda event: received.__setitem__(0, received[0] + event["encodedDataLength"]))
    page.goto(address, wait_until="load", timeout=timedelta(minutes=2) / timedelta(milliseconds=1))
    words = page.evaluate(_WORDS)
    if not words:
        raise SystemExit(f"{address}: the words are not on the first screen")
    painted = page.evaluate("""() => { const marks = performance.getEntriesByName('first-contentful-paint');
        return marks.length ? marks[0].startTime : null; }""")
    arrived = page.evaluate("window.arrived")
    seen = page.evaluate("""() => new Promise(done => { let last = 0;
        new PerformanceObserver(list => { for (const entry of list.getEntries()) last = entry.startTime; })
          .observe({ type: 'largest-contentful-paint', buffered: true }); setTimeout(() => done(last), 200); })""")
    loaded = page.evaluate("performance.timing.loadEventStart - performance.timing.navigationStart")
    context.close()
    return {"painted": max(painted, arrived), "seen": seen, "loaded": loaded, "bytes": received[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description="First visit on a slow 3G phone.")
    parser.add_argument("--processor", type=float, default=1, help="slow the processor down so many times (4: a cheap phone)")
    processor = parser.parse_args().processor
    with tempfile.TemporaryDirectory() as folder:
        served = site(Path(folder))
        page = "/zh/warnings/20261122-01/"
        style = next(part for part in served.app.test_client().get(page).text.split('"') if part.startswith("/assets/site-")
                     and part.endswith(".css"))
        need = sent(served.app, page) + sent(served.app, style)
        head = b"<!doctype html><title>bare</title><p class=bare>"
        served.bare = head + b"words " * ((need - len(head)) // 6)
        server = create_server(served, host="127.0.0.1", port=0)
        threading.Thread(target=server.run, daemon=True).start()
        address = f"http://127.0.0.1:{server.effective_port}"
        print(f"first visit at {BYTES_A_SECOND * 8 // 1000} kbit/s and {MILLISECONDS} ms, processor 1/{processor:g}, "
              f"{VISITS} visits each; page {sent(served.app, page)} bytes, style {sent(served.app, style)} bytes as sent\n")
        print(f"{'':26}{'first words':>22}{'last large paint':>22}{'all loaded':>18}{'bytes':>10}")
        print(f"{'':26}" + f"{'median / slowest ms':>22}" * 2 + f"{'median ms':>18}")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            visit(browser, address + page, 1)  # the browser itself starts up, and finds its Chinese letters
            slowest = {}
            for name, path in (("bare page, same bytes", BARE), ("warning, Chinese", page),
                               ("warning, English", "/en" + page[3:]), ("front page", "/zh/")):
                seen = [visit(browser, address + path, processor) for _ in range(VISITS)]
                cells = "".join(f"{statistics.median(v[key] for v in seen):>12.0f} / {max(v[key] for v in seen):>7.0f}"
                                for key in ("painted", "seen"))
                slowest[name] = max(v["painted"] for v in seen)
                print(f"{name:26}{cells}{statistics.median(v['loaded'] for v in seen):>18.0f}{seen[0]['bytes']:>10.0f}")
            browser.close()
        server.close()
        most = slowest["warning, Chinese"] + 2 * MILLISECONDS
        print(f"\ngoal: words within {GOAL} ms, with the handshakes of a first https connection: {most:.0f} ms, "
              + ("kept" if most < GOAL else "NOT kept"))
        with served.app.app_context():
            db.engine.dispose()


if __name__ == "__main__":
    main()
