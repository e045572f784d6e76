"""The fault suite's own account: who was sent to twice with cause, and who without."""

from __future__ import annotations

import base64
import http.client
from urllib.parse import urlencode, urlsplit

from tests.faults.doubles import LOST, UNWRITTEN, Blow, Copy, of_a_day, of_blows
from tests.faults.house import MOST_DOUBLED
from tests.sms.conftest import ACCOUNT, SERVICE, TOKEN, carrier, carrier_process  # noqa: F401  (fixtures)
from tests.waiting import until


def _taken(*times: float, people: int = 1, lost: str = "") -> list[dict[str, list[Copy]]]:
    """Each of `people` sent to at all of `times`, every answer heard, or `lost` by that cause."""
    return [{f"+{n}": [Copy(at, lost) for at in times] for n in range(people)}]


def test_each_lost_answer_allows_one_double_and_a_heard_one_none():
    lost = of_a_day(_taken(1, 2, 3, people=4, lost="cut"))
    assert (dict(lost.allowed), lost.unexplained, lost.wrong) == ({"cut": 8}, 0, [])
    mixed = of_a_day([{"+1": [Copy(1, "cut"), Copy(2), Copy(3)]}])
    assert (dict(mixed.allowed), mixed.unexplained) == ({"cut": 1}, 1)
    assert len(mixed.wrong) == 1


def test_what_is_heard_is_doubled_only_as_far_as_it_may_be_unwritten():
    account = of_a_day(_taken(1, 2, people=5), most=3)
    assert (dict(account.allowed), account.unexplained) == ({UNWRITTEN: 3}, 2)


def test_a_double_counts_for_the_blow_that_may_have_caused_it_and_never_for_one_that_cannot():
    killed, rung = Blow("worker", 5.0), Blow("broker dies", 1.5, most=0)
    account = of_blows(_taken(1, 9, people=7), [rung, killed])
    assert (killed.doubled, rung.doubled, account.unexplained) == (7, 0, 0)
    account = of_blows(_taken(1, 9), [rung])
    assert account.unexplained == 1
    account = of_blows(_taken(1, 9, lost="unheard"), [rung])
    assert (dict(account.allowed), account.wrong) == ({"unheard": 1}, [])
    account = of_blows(_taken(1, 9, people=MOST_DOUBLED + 2), [Blow("worker", 5.0)])
    assert account.unexplained == 2


def test_two_that_are_struck_one_right_after_the_other_each_have_their_own_unwritten():
    mine, other = frozenset({1}), frozenset({2})
    first, second = Blow("worker", 5.0, ports=mine), Blow("worker", 6.3, ports=other)
    sent = [{f"+{port}{n}": [Copy(4.9, "", port), Copy(9)] for n in range(MOST_DOUBLED)} for port in (1, 2)]
    account = of_blows(sent, [first, second])
    assert (first.doubled, second.doubled, account.wrong) == (MOST_DOUBLED, MOST_DOUBLED, [])
    sent[1]["+one"] = [Copy(4.9, "", 2), Copy(9)]
    account = of_blows(sent, [Blow("worker", 5.0, ports=mine), Blow("worker", 6.3, ports=other)])
    assert account.unexplained == 1
    late = Blow("worker", 8.0, ports=other)  # until then it has written what it sent
    of_blows(sent, [Blow("worker", 5.0, ports=mine), late])
    assert late.doubled == 0


def test_the_carrier_knows_whose_answer_was_heard(carrier):  # noqa: F811
    first = _Phone(carrier.url)
    for _ in range(2):
        first.sends()
    assert [m["answer"] for m in carrier.messages()] == ["heard", ""]
    first.leaves()
    until(lambda: [m["answer"] for m in carrier.messages()] == ["heard", "unheard"], "the end of the connection is seen")
    carrier.faults(cut=1.0)
    _Phone(carrier.url).sends()
    carrier.faults(cut=0.0, not_json=1.0)
    again = _Phone(carrier.url)
    again.sends()
    again.sends()
    assert [m["answer"] for m in carrier.messages()][2:] == ["cut", "not_json", "not_json"]
    assert set(LOST) == {"unheard", "cut", "not_json"}


class _Phone:
    """A client that sends one message after the other on one connection."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)

    def sends(self) -> None:
        secret = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        self._connection.request(
            "POST", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json",
            urlencode({"To": "+8613800000001", "Body": "warning", "MessagingServiceSid": SERVICE}),
            {"Authorization": f"Basic {secret}", "Content-Type": "application/x-www-form-urlencoded"})
        try:
            self._connection.getresponse().read()
        except http.client.IncompleteRead:
            self.leaves()

    def leaves(self) -> None:
        self._connection.close()
