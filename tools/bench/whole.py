"""The whole way, from the issue until the last outcome is written and counted, with two worker processes; beside what its three
parts take bare, one after the other. It is a drill: the bare parts make no pages either. And what happens meanwhile: memory; and
a red warning that overtakes a real blue one."""

from __future__ import annotations

import time
import uuid
from contextlib import nullcontext
from dataclasses import dataclass

import psycopg

from portal.dispatch.outcomes import unpacked
from tools.bench import clients
from tools.bench.gateways import Gateway
from tools.bench.handover import IN_FLIGHT, Used, check, each
from tools.bench.population import SHARES
from tools.bench.rig import Process, Rig, Watch
from tools.bench.rows import AT_MOST, Row, compared, middle, notes, spread

WORKERS = 2
MORE_MEMORY, FLAT = 100.0, 15.0  # MB
MORE_SECONDS = 1.0
REDS = 3


@dataclass(frozen=True)
class Bare:
    """Seconds of each part."""

    plan: float
    send: float
    fold: float

    @property
    def seconds(self) -> float:
        return self.plan + self.send + self.fold

    def __str__(self) -> str:
        return f"{self.plan:.2f} + {self.send:.2f} + {self.fold:.2f} s"


def measure(rig: Rig, gateway: Gateway, *, share: int, runs: int) -> list[Row]:
    """The whole way for a share of the people, and what a worker's memory did the first time, after its start."""
    ours, bare, memory = list[float](), list[Bare](), list[Row]()
    many = rig.many(share)
    with rig.ringing() as woken, rig.workers(WORKERS, gateway.url, max_in_flight=IN_FLIGHT) as workers:
        for _ in range(runs):
            rig.settle()
            gateway.reset()
            before, used = [worker.memory() for worker in workers], Used(rig, gateway, workers)
            with nullcontext() if memory else Watch(workers) as watch:  # once: the look takes time, too
                dispatch = rig.issue(share, drill=True)
                sent = rig.ended(dispatch, workers)
            spent = each(used.since(), sent.accepted)
            check(rig, gateway, sent, share)
            ours.append(sent.seconds)
            if watch:
                memory = [_memory(watch, before, many)]
            bare.append(_bare(rig, gateway, workers, share, dispatch))
    parts = bare[[one.seconds for one in bare].index(sorted(one.seconds for one in bare)[len(bare) // 2])]
    row = compared(f"whole: issue → last outcome counted, {many:,} people, {WORKERS} workers", middle(ours), "s",
                   "bare plan + bare loops + bare fold", middle([one.seconds for one in bare]), AT_MOST, 1.3,
                   notes(f"bare: {parts}", woken, spent, spread(ours)))
    return [row, *memory]


def _bare(rig: Rig, gateway: Gateway, workers: list[Process], share: int, dispatch: uuid.UUID) -> Bare:
    """The three parts one after the other, while the workers stand still."""
    for worker in workers:
        worker.pause()
    try:
        words = rig.words(dispatch)
        rig.settle()
        plan = bare_plan(rig, share)
        loops = clients.run(rig, "line", share, words, gateway.url, parts=WORKERS, max_in_flight=IN_FLIGHT)
        return Bare(plan, loops.seconds, bare_fold(rig, dispatch))
    finally:
        for worker in workers:
            worker.go_on()


def bare_plan(rig: Rig, share: int) -> float:
    """Seconds of one INSERT … SELECT that packs the same people, a thousand in a row."""
    places = " OR ".join(f"r.region_code LIKE '{_prefix(code)}%'" for code in SHARES[share])
    with psycopg.connect(rig.raw_url) as server:
        server.execute("DROP TABLE IF EXISTS bare_batch")
        server.execute("CREATE TABLE bare_batch (region_code varchar(12), language varchar(8), size int, recipients bytea)")
        server.commit()
        begun = time.perf_counter()
        server.execute(  # nothing of it is anybody's words
            "INSERT INTO bare_batch SELECT region_code, language, count(*), string_agg(int8send(subscriber_id), '')"  # noqa: S608
            " FROM (SELECT r.region_code, s.language, r.subscriber_id, (row_number() OVER (PARTITION BY r.region_code, s.language"
            " ORDER BY r.subscriber_id) - 1) / 1000 AS part FROM subscriber_region r JOIN subscriber s ON s.id = r.subscriber_id"
            f" WHERE ({places}) AND s.status = 'active') AS people GROUP BY region_code, language, part")
        server.commit()
        return time.perf_counter() - begun


def _prefix(code: str) -> str:
    """A district's code is six digits and zeros, a street's nine, a community's all twelve."""
    return code[:6] if code[6:] == "000000" else code[:9] if code[9:] == "000" else code


def bare_fold(rig: Rig, dispatch: uuid.UUID) -> float:
    """Seconds to count the outcomes of a dispatch by one statement, as finely as they are shown; from a row each, which are there
    before it begins."""
    with psycopg.connect(rig.raw_url) as server:
        _spread(server, dispatch)
        server.execute("DROP TABLE IF EXISTS bare_tally")
        server.execute("CREATE TABLE bare_tally (region_code varchar(12), language varchar(8), status varchar(12),"
                       " audiences bigint, n bigint)")
        server.commit()
        begun = time.perf_counter()
        server.execute("INSERT INTO bare_tally SELECT b.region_code, b.language, o.status, o.audiences, count(*) FROM bare_end o"
                       " JOIN batch b ON b.id = o.batch_id WHERE b.dispatch_id = %s GROUP BY 1, 2, 3, 4", (dispatch,))
        server.commit()
        return time.perf_counter() - begun


def _spread(server: psycopg.Connection, dispatch: uuid.UUID) -> None:
    """The outcomes of a dispatch in a table with a row each."""
    server.execute("DROP TABLE IF EXISTS bare_end")
    server.execute("CREATE TABLE bare_end (batch_id bigint, recipient_id bigint, status varchar(12), audiences bigint)")
    pages = server.execute("SELECT p.batch_id, p.status, p.size, p.recipients, p.audiences FROM outcome_page p"
                           " JOIN batch b ON b.id = p.batch_id WHERE b.dispatch_id = %s", (dispatch,)).fetchall()
    with server.cursor() as cursor, cursor.copy("COPY bare_end FROM STDIN") as copy:
        for batch_id, status, size, recipients, audiences in pages:
            ends = zip(unpacked(recipients, size).tolist(), unpacked(audiences, size).tolist(), strict=True)
            copy.write("".join([f"{batch_id}\t{recipient}\t{status}\t{mask}\n" for recipient, mask in ends]))
    server.commit()
    server.execute("ANALYZE bare_end")
    server.commit()


def _memory(watch: Watch, before: list[float], many: int) -> Row:
    """The worker that grew most, and whether it still grew in the second half."""
    grown = [max(seen[n] for _, seen in watch.seen) - start for n, start in enumerate(before)]
    worst = grown.index(max(grown))
    curve = [seen[worst] for _, seen in watch.seen]
    half, last = curve[len(curve) // 2 :], curve[-max(1, len(curve) // 8) :]
    drift = middle(last) - middle(half[: max(1, len(half) // 4)])
    met = grown[worst] <= MORE_MEMORY and drift <= FLAT
    return Row(f"memory of a worker over {many:,} people", before[worst] + grown[worst], "MB", "at its start", before[worst],
               (before[worst] + grown[worst]) / before[worst], f"≤ {MORE_MEMORY:g} MB more, flat", met,
               f"{grown[worst]:+.0f} MB at most, {drift:+.0f} MB in the second half")


def overtaking(rig: Rig, gateway: Gateway, *, share: int = 100, red_share: int = 1) -> list[Row]:
    """Seconds from the issue of a red warning until its first message is accepted and written: idle, and while all the people are
    being told something blue."""
    with rig.ringing() as woken, rig.workers(WORKERS, gateway.url, max_in_flight=IN_FLIGHT) as workers:
        idle = [_first(rig, rig.issue(red_share, "red"), workers) for _ in range(REDS)]
        rig.settle()
        gateway.reset()
        blue = rig.issue(share)
        busy = list[float]()
        for n in range(REDS):
            _until_taken(gateway, rig.many(share) * (n + 1) // (REDS + 2))
            busy.append(_first(rig, rig.issue(red_share, "red"), workers))
        still = rig.one("SELECT ended_at IS NULL FROM dispatch WHERE id = %s", blue)
        whole = rig.ended(blue, workers)
        want = rig.many(share) + REDS * rig.many(red_share)
        if gateway.taken() != want:
            raise RuntimeError(f"{gateway.taken()} messages instead of {want}")
    usual, worst = middle(idle), max(busy)
    met = worst - usual <= MORE_SECONDS and still
    all_of = [", ".join(f"{seconds:.2f}" for seconds in some) for some in (busy, idle)]
    end = "ended after them all" if still else "had ended before the last"
    return [Row(f"red while {rig.many(share):,} blue are sent: issue → first one accepted", worst, "s", "idle system", usual,
                worst / max(1e-3, usual), f"≤ {MORE_SECONDS:g} s more", met,
                f"the worst of {all_of[0]} s; idle {all_of[1]} s; the blue one {end}, after {whole.seconds:.1f} s; {woken}")]


def _first(rig: Rig, dispatch: uuid.UUID, workers: list[Process]) -> float:
    rig.ended(dispatch, workers)
    return rig.one("SELECT extract(epoch FROM first_at - created_at)::float8 FROM dispatch WHERE id = %s", dispatch)


def _until_taken(gateway: Gateway, many: int) -> None:
    deadline = time.monotonic() + 120
    while gateway.taken() < many and time.monotonic() < deadline:
        time.sleep(0.02)
