"""The bare clients that a worker is compared with, each run as a process of its own: `python -m tools.bench.bare_clients WAY`.

All post the same messages to the same gateway. `line`: the portal's own client, without a database behind it; `pycurl`:
libcurl's multi interface, a hundred in flight; `sdk`: the Twilio SDK in 32 threads; `sdk-orm`: the same with one row a message,
read, changed and committed through an ORM. The process reads its job as JSON from the first line of its input, says `ready`,
begins at the second line, and prints what it took as JSON. Settings come from the environment, the same as a worker's.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import json
import os
import select
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus, unquote_plus

import numpy as np
from sqlalchemy import DateTime, String, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from portal.channels.sms.lines.line import Letter, Line
from portal.channels.sms.lines.registry import make_lines
from portal.channels.sms.lines.twilio_line import AGAIN
from portal.channels.sms.provider import ACCEPTED
from portal.channels.sms.segments import count
from portal.config import Settings
from tools.bench.population import language, number

LONGEST = 240.0  # seconds
PYCURL_IN_FLIGHT, SDK_THREADS = 100, 32


@dataclass(frozen=True)
class Job:
    """`ids`: a file with the people's ids, of which this process takes the `part`-th of `parts`, and at most `most`."""

    ids: str
    words: dict[str, str]
    part: int = 0
    parts: int = 1
    most: int = 0

    def people(self) -> list[int]:
        mine = np.array_split(np.load(self.ids), self.parts)[self.part].tolist()
        return mine[: self.most] if self.most else mine

    def messages(self) -> list[tuple[str, str, str]]:
        """(number, reference, language), in batches of a thousand."""
        return [(number(i), f"{1000 + n // 1000}/{i}", language(i)) for n, i in enumerate(self.people())]


@dataclass
class Done:
    seconds: float
    sent: int
    cpu: float
    answers: dict[str, int]


def _begin() -> tuple[float, float]:
    print("ready", flush=True)
    sys.stdin.readline()
    used = os.times()
    return time.perf_counter(), used.user + used.system


def _over(begun: tuple[float, float], answers: Counter[str], good: str) -> Done:
    used = os.times()
    return Done(time.perf_counter() - begun[0], answers[good], used.user + used.system - begun[1], dict(answers))


# -- the portal's client -----------------------------------------------------------------------------------
class Loop:
    """Hands messages to one line as fast as it takes them. What is answered is counted and nothing else."""

    def __init__(self, line: Line, letters: dict[str, Letter], messages: list[tuple[str, str, str]]) -> None:
        self.line, self.letters = line, letters
        self.messages: Iterator[tuple[str, str, str]] = iter(messages)
        self.left = self.unanswered = len(messages)
        self.answers: Counter[str] = Counter()
        self.filling = False

    async def run(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.over = self.loop.create_future()
        self.line.open(self.loop, self.answer, self.fill)
        self.begun = _begin()
        self.fill()
        await asyncio.wait_for(self.over, LONGEST)
        self.done = _over(self.begun, self.answers, ACCEPTED)
        await self.line.close(1)

    def fill(self) -> None:
        self.filling = False
        letters, hand_over, messages = self.letters, self.line.hand_over, self.messages
        room = min(self.line.room(), self.left)
        self.left -= room
        for _ in range(room):
            to, ref, tongue = next(messages)
            hand_over(letters[tongue], to, ref, None)

    def answer(self, _token: Any, _line: Line, status: str, _code: str, _carrier_id: str, _unsure: bool) -> None:
        self.answers[status] += 1
        self.unanswered -= 1
        if not self.unanswered:
            self.over.set_result(None)
        elif self.left and not self.filling:
            self.filling = True
            self.loop.call_soon(self.fill)


def by_line(job: Job, settings: Settings) -> Done:
    import uvloop

    until = datetime.now(UTC) + timedelta(hours=6)
    callback = f"{settings.base_url}/hooks/sms" if settings.public_url else ""
    letters = {tongue: Letter(body, until, count(body).segments, callback) for tongue, body in job.words.items()}
    loop = Loop(make_lines(settings)[0], letters, job.messages())
    uvloop.run(loop.run())
    return loop.done


# -- libcurl -----------------------------------------------------------------------------------------------
def by_pycurl(job: Job, settings: Settings) -> Done:
    import pycurl

    token = settings.twilio_auth_token.get_secret_value()
    proof = base64.b64encode(f"{settings.twilio_account_sid}:{token}".encode()).decode()
    heads = [f"Authorization: Basic {proof}", "Accept: application/json", "Content-Type: application/x-www-form-urlencoded"]
    url = f"{settings.twilio_api_url}/2010-04-01/Accounts/{settings.twilio_account_sid}/Messages.json"
    report = quote_plus(f"{settings.base_url}/hooks/sms/twilio/")
    fixed = {tongue: f"&MessagingServiceSid={settings.twilio_messaging_service_sid}&ValidityPeriod=21600&Body={quote_plus(body)}"
             f"&StatusCallback={report}" for tongue, body in job.words.items()}
    messages, answers = iter(job.messages()), Counter[str]()
    multi = pycurl.CurlMulti()
    multi.setopt(pycurl.M_MAXCONNECTS, PYCURL_IN_FLIGHT)
    handles = []
    for _ in range(PYCURL_IN_FLIGHT):
        handle = pycurl.Curl()
        handle.setopt(pycurl.URL, url)
        handle.setopt(pycurl.HTTPHEADER, heads)
        handle.setopt(pycurl.USERAGENT, "anlan")
        handle.setopt(pycurl.NOSIGNAL, 1)
        handle.setopt(pycurl.TIMEOUT, 10)
        handles.append(handle)
    begun = _begin()

    def post(handle: Any) -> bool:
        message = next(messages, None)
        if message is None:
            return False
        to, ref, tongue = message
        handle.setopt(pycurl.POSTFIELDS, f"To=%2B{to[1:]}{fixed[tongue]}{ref.replace('/', '%2F')}{AGAIN}")
        handle.answer = io.BytesIO()
        handle.setopt(pycurl.WRITEFUNCTION, handle.answer.write)
        multi.add_handle(handle)
        return True

    at_work = sum(post(handle) for handle in handles)
    deadline = time.monotonic() + LONGEST
    while at_work and time.monotonic() < deadline:
        multi.perform()
        while True:
            waiting, good, bad = multi.info_read()
            for handle in good:
                answers["accepted" if handle.getinfo(pycurl.RESPONSE_CODE) == 201 else "refused"] += 1
            for _handle in bad:
                answers["broken"] += 1
            for handle in (*good, *(entry[0] for entry in bad)):
                multi.remove_handle(handle)
                at_work += post(handle) - 1
            if not waiting:
                break
        multi.select(0.05)
    done = _over(begun, answers, "accepted")
    multi.close()
    return done


# -- the Twilio SDK ----------------------------------------------------------------------------------------
def by_sdk(job: Job, settings: Settings, *, orm: bool) -> Done:
    from twilio.http.http_client import TwilioHttpClient
    from twilio.rest import Client

    class Elsewhere(TwilioHttpClient):
        """The SDK's own client, at the gateway's address."""

        def request(self, method: str, url: str, *values: Any, **more: Any) -> Any:
            return super().request(method, url.replace("https://api.twilio.com", settings.twilio_api_url), *values, **more)

    client = Client(settings.twilio_account_sid, settings.twilio_auth_token.get_secret_value(), http_client=Elsewhere())
    messages, guard, answers = iter(list(enumerate(job.messages(), 1))), threading.Lock(), Counter[str]()
    record = _rows(settings, len(job.people())) if orm else None

    def send(to: str, ref: str, tongue: str) -> str:
        return client.messages.create(
            to=to, body=job.words[tongue], messaging_service_sid=settings.twilio_messaging_service_sid, validity_period=21600,
            status_callback=f"{settings.base_url}/hooks/sms/twilio/{ref}{unquote_plus(AGAIN)}").sid or ""

    def work() -> None:
        while True:
            with guard:
                found = next(messages, None)
            if found is None:
                return
            key, message = found
            if record is None:
                send(*message)
            else:
                record(key, lambda: send(*message))  # noqa: B023  (called at once)
            with guard:
                answers["accepted"] += 1

    threads = [threading.Thread(target=work) for _ in range(SDK_THREADS)]
    begun = _begin()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONGEST)
    return _over(begun, answers, "accepted")


class Base(DeclarativeBase):
    pass


class Message(Base):
    """As an application would have it."""

    __tablename__ = "bench_message"
    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(String(12), index=True)
    sid: Mapped[str | None] = mapped_column(String(64), unique=True)
    sent_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


def _rows(settings: Settings, many: int) -> Any:
    """A table with one row a message; what writes one of them."""
    engine = create_engine(settings.sqlalchemy_url, pool_size=SDK_THREADS)
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(Message(id=n, status="queued") for n in range(1, many + 1))
        session.commit()

    def record(key: int, send: Any) -> None:
        with Session(engine) as session:
            row = session.get_one(Message, key)
            row.sid = send()
            row.status, row.sent_at = "accepted", datetime.now(UTC)
            session.commit()

    return record


WAYS = {"line": by_line, "pycurl": by_pycurl, "sdk": lambda j, s: by_sdk(j, s, orm=False),
        "sdk-orm": lambda j, s: by_sdk(j, s, orm=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("way", choices=WAYS)
    asked = parser.parse_args()
    if not select.select([sys.stdin], [], [], 30)[0]:
        raise SystemExit("no job came")
    job = Job(**json.loads(sys.stdin.readline()))
    print(json.dumps(vars(WAYS[asked.way](job, Settings()))), flush=True)


if __name__ == "__main__":
    main()
