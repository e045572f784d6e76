"""How the fake carrier's answers go over the wire: whole, in chunks or pieces, with or without an end of the connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.fakes.carrier import Carrier

PIECE = 7  # bytes
CHUNK = 50


def created(account: str, form: dict[str, str], sid: str) -> dict[str, Any]:
    """What is answered to a message that was taken."""
    return {
        "account_sid": account,
        "api_version": "2010-04-01",
        "body": form["Body"],
        "date_created": "Sun, 22 Nov 2026 00:00:00 +0000",
        "date_sent": None,
        "date_updated": "Sun, 22 Nov 2026 00:00:00 +0000",
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": form.get("From"),
        "num_media": "0",
        "num_segments": "1",
        "messaging_service_sid": form.get("MessagingServiceSid"),
        "price": None,
        "price_unit": None,
        "sid": sid,
        "status": "accepted" if "MessagingServiceSid" in form else "queued",
        "to": form["To"],
        "subresource_uris": {},
        "uri": f"/2010-04-01/Accounts/{account}/Messages/{sid}.json",
    }


def response(status: int, body: bytes, extra: dict[str, str], length: bool = True) -> bytes:
    headers = {"Content-Type": "application/json"} | ({"Content-Length": str(len(body))} if length else {}) | extra
    head = f"HTTP/1.1 {status} X\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return head.encode() + b"\r\n" + body


def chunked(status: int, body: bytes, extra: dict[str, str]) -> bytes:
    parts = [body[n : n + CHUNK] for n in range(0, len(body), CHUNK)]
    coded = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    return response(status, b"", extra | {"Transfer-Encoding": "chunked"}, length=False) + coded


def reply(transport: asyncio.Transport, carrier: Carrier, status: int, body: bytes, extra: dict[str, str]) -> None:
    faults = carrier.faults
    say_close = carrier.drawn(faults.say_close)
    if say_close:
        extra = extra | {"Connection": "close"}
    if faults.until_close:
        whole = response(status, body, extra, length=False)
    else:
        whole = (chunked if faults.chunked else response)(status, body, extra)
    close = say_close or faults.until_close or carrier.drawn(faults.close_idle)
    if faults.dribble:
        task = asyncio.ensure_future(_dribble(transport, whole, close))
        task.add_done_callback(lambda done: done.exception())
        return
    transport.write(whole)
    if close:
        transport.close()


async def _dribble(transport: asyncio.Transport, whole: bytes, close: bool) -> None:
    for start in range(0, len(whole), PIECE):
        transport.write(whole[start : start + PIECE])
        await asyncio.sleep(0)
    if close:
        transport.close()
