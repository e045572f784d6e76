"""Several people at once: nobody overwrites unseen what another wrote, and imports follow one another."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import Any

from flask import Flask
from sqlalchemy import select

from portal.core import audit
from portal.core.db import db, transaction
from portal.core.errors import Conflict
from portal.shelters.models import Shelter
from portal.shelters.registry import exchange, store
from tests import district
from tests.shelters.places import make_shelter


def at_once(app: Flask, acts: list[Callable[[], Any]]) -> list[Any]:
    """What each act gives or raises, all begun together in threads with sessions of their own."""
    start, results = threading.Barrier(len(acts)), [None] * len(acts)

    def run(n: int, act: Callable[[], Any]) -> None:
        with app.app_context():
            start.wait(30)
            try:
                results[n] = act()
            except Exception as error:
                results[n] = error  # type: ignore[call-overload]
            finally:
                db.session.rollback()

    threads = [threading.Thread(target=run, args=(n, act)) for n, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    return results


def test_of_four_who_save_the_same_version_one_wins_and_the_others_are_told(context: Flask) -> None:
    district.settle_regions()
    with transaction() as session:
        shelter_id = make_shelter(session, capacity_day=1).id
    results = at_once(context, [
        lambda n=n: store.save(None, {"capacity_day": n}, shelter_id=shelter_id, version=1) for n in (11, 12, 13, 14)])
    won = [r for r in results if not isinstance(r, Exception)]
    assert len(won) == 1
    assert all(isinstance(r, Conflict) for r in results if isinstance(r, Exception)), results
    district.forget()
    found = store.by_ids([shelter_id])[shelter_id]
    assert (found.version, found.capacity_day) == (2, won[0].capacity_day)
    assert list(audit.verify(db.session)) == []


def test_the_same_file_imported_twice_at_once_makes_each_shelter_once(context: Flask) -> None:
    district.settle_regions()
    text = "code,name_zh,longitude,latitude\n" + "".join(f"A{n},场所,114.35,22.69\n" for n in range(700))
    results = at_once(context, [lambda: exchange.apply(None, io.BytesIO(text.encode()))] * 3)
    assert all(isinstance(r, exchange.Report) and r.written for r in results), results
    assert sorted(r.new for r in results) == [0, 0, 700]
    district.forget()
    assert {s.version for s in store.listing()} == {1}


def test_an_import_and_those_who_write_several_shelters_never_wait_for_each_other_for_ever(context: Flask) -> None:
    """The file names the shelters from last to first; the others take them from first to last."""
    district.settle_regions()
    with transaction() as session:
        codes = [make_shelter(session, code=f"A{n}").code for n in range(700)]
    text = "code,capacity_day\n" + "".join(f"{code},7\n" for code in reversed(codes))

    done = threading.Event()

    def bring_in() -> exchange.Report:
        try:
            return exchange.apply(None, io.BytesIO(text.encode()))
        finally:
            done.set()

    def count_heads() -> bool:
        for _round in range(2000):
            with transaction() as session:
                for shelter in session.execute(select(Shelter).order_by(Shelter.id).with_for_update()).scalars():
                    shelter.occupancy = 3
            if done.is_set():
                return True
        return False

    results = at_once(context, [bring_in, count_heads, count_heads])
    assert results[1:] == [True, True], results
    assert results[0].changed == 700
    district.forget()
    assert {(s.capacity_day, s.occupancy) for s in store.listing()} == {(7, 3)}
