"""A worker whose keeper ends again and again does not look well: the page says so, and Prometheus counts."""

from __future__ import annotations

import lxml.html
import pytest

from portal.dispatch.bulk import keeper
from portal.dispatch.watch import metrics, said
from portal.identity.rights import VIEWER
from tests import district
from tests.watch.conftest import office
from tests.watch.test_metrics import scraped


class _Dead:
    """A keeper that has ended before it is asked."""

    silent = False

    def __init__(self, *_: object) -> None:
        pass

    def ask(self, *_: object) -> None:
        raise EOFError

    def end(self, _seconds: float) -> None:
        pass


def test_each_keeper_that_is_begun_is_counted(monkeypatch):
    monkeypatch.setattr(keeper, "_Child", _Dead)
    books = keeper.Keeper(None, "owner", ())
    books.start()
    books.start()
    assert books.begun == 1
    for _ in range(2):
        with pytest.raises(keeper.Away):
            books.claim(1, None, ())
    books.start()
    assert books.begun == 3
    books.close()


def test_prometheus_is_told_how_often_a_keeper_was_begun_anew():
    known = metrics.Known()
    known.office = lambda: office(keeper_restarts=4)
    assert scraped(known)["anlan_keeper_restarts_total"] == [({}, 4)]


@pytest.mark.parametrize(("lately", "told"), [(2, False), (3, True)])
def test_the_operator_is_told_in_plain_words_when_it_happens_again_and_again(settled, reported, seat, lately, told):
    reported(said.SCHEDULER, leading=True)
    reported(said.WORKER, 0, name="worker:one:7", keeper_restarts=9, keeper_lately=lately)
    reported(said.WORKER, 3600, name="worker:dead:8", keeper_restarts=9, keeper_lately=9)
    viewer = district.office("viewer", (VIEWER, district.DISTRICT, "red"))
    for language, words, well in (("en", "ended 3 times within 10 minutes", "All is well."),
                                  ("zh", "10 分钟内已异常退出 3 次", "一切正常")):
        text = lxml.html.fromstring(seat(viewer, language).get("/desk/status/").text).text_content()
        assert (words in text) is told
        assert (well in text) is not told
        assert "Beside worker:dead:8" not in text
