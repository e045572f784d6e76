"""Figures count each person once; what goes out can come in again. On both databases."""

from __future__ import annotations

import io

from flask import Flask

from portal.subscribers import store
from portal.subscribers.models import ACTIVE
from portal.subscribers.office import export_pages, figures
from portal.subscribers.roster import batches, running, staging
from portal.subscribers.roster.rows import Said
from tests import district

LIULIAN, KENGZI, PHONE = district.LIULIAN, "440310005001", "+8612900000001"


def test_figures_count_each_person_once_and_none_who_was_erased(settled: Flask) -> None:
    district.subscriber(PHONE, LIULIAN, KENGZI, audiences=3)
    district.subscriber("+8612900000002", LIULIAN, language="en")
    gone = district.subscriber("+8612900000003", LIULIAN)
    store.opt_out(gone, "sms")
    whole, street = figures.count([district.DISTRICT]), figures.count([district.KENGZI])
    assert (whole.active, whole.statuses["opted_out"], whole.languages["en"], whole.audiences["schools"]) == (2, 1, 1, 1)
    assert (street.active, street.languages["zh"]) == (1, 1)
    places = {one.code: (one.active, one.left) for of in whole.places for one in of.inside}
    assert (places[LIULIAN], places[KENGZI]) == ((2, 1), (1, 0))


def test_what_went_out_can_come_in_again(settled: Flask) -> None:
    district.subscriber(PHONE, LIULIAN, KENGZI, audiences=3)
    district.subscriber("+85251234567", LIULIAN, language="en")
    body = b"".join(export_pages._lines(export_pages.Choice(district.DISTRICT, "", "", ACTIVE), "zh"))
    batch = staging.stage(batches.begin(None, name="out.csv", basis="ours").id, io.BytesIO(body), Said())
    assert (batch.state, batch.rows, batch.bad, batch.same) == ("ready", 2, 0, 2)
    some = b"".join(export_pages._lines(export_pages.Choice(district.KENGZI, "schools", "zh", ACTIVE), "en"))
    assert some.splitlines()[1:] == [some.splitlines()[1]]
    assert some.splitlines()[1].startswith(b"12900000001,440310005001,residents;schools,zh,active,demo,")


def test_a_file_that_is_too_large_is_not_kept() -> None:
    assert running.keep(io.BytesIO(b"x" * 101), 100) is None
    kept = running.keep(io.BytesIO(b"x" * 100), 100)
    assert kept is not None
    with kept:
        assert kept.tell() == 100
