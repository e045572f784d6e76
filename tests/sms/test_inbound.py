"""A phone writes: what it asks for is done once, answered once, and never without end."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from xml.etree import ElementTree

import pytest
import time_machine
from flask import Flask
from sqlalchemy import func, select, update

from portal.channels.sms import inbound, notices
from portal.channels.sms.models import InboundText, SmsNotice
from portal.channels.sms.provider import Inbound
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.regions import demo, lookup
from portal.subscribers import store, wishes
from portal.subscribers.models import ConsentEvent, Subscriber, SubscriberRegion
from tests.sms.test_hooks import PUBLIC, TWILIO
from tests.sms.test_twilio_callbacks import ACCOUNT, signed

PATH = "/hooks/sms/twilio/inbound"
PHONE, OTHER = "+8612900000001", "+8612900000002"
KENGZI, SECOND = "440310005001", "440310005002"
_sids = itertools.count(1)


@pytest.fixture
def hooks(make_app: Callable[..., Flask]) -> Flask:
    app = make_app(**TWILIO, sms_answers_per_phone=4)
    with app.app_context():
        demo.seed()
    return app


def form(body: str, phone: str = PHONE, sid: str = "", **more: str) -> dict[str, str]:
    return {"AccountSid": ACCOUNT, "MessageSid": sid or f"SM{next(_sids):032d}", "From": phone, "To": "+15005550006",
            "Body": body} | more


def call(app: Flask, values: dict[str, str], headers: dict[str, str] | None = None, path: str = PATH) -> tuple[int, str]:
    """The status, and the words for the phone in the TwiML."""
    headers = signed(PUBLIC + path, values) if headers is None else headers
    answer = app.test_client().post(path, data=values, headers=headers)
    if answer.status_code != 200:
        return answer.status_code, ""
    assert answer.headers["Content-Type"] == "text/xml; charset=utf-8"
    root = ElementTree.fromstring(answer.data)
    assert root.tag == "Response"
    assert [child.tag for child in root] in ([], ["Message"])
    return 200, "".join(root.itertext())


def chosen(app: Flask, phone: str = PHONE) -> tuple[str, set[str], str]:
    """Status, communities and language of a phone."""
    with app.app_context():
        row = wishes.find(app.extensions["phones"].index(phone))
        return (row.status, set(wishes.of(row).region_codes), row.language) if row else ("", set(), "")


def story(app: Flask, phone: str = PHONE) -> list[tuple[str, str]]:
    with app.app_context():
        row = wishes.find(app.extensions["phones"].index(phone))
        found = db.session.execute(select(ConsentEvent.kind, ConsentEvent.source).where(ConsentEvent.subscriber_id == row.id)
                                   .order_by(ConsentEvent.id))
        return [tuple(event) for event in found]


def test_a_resident_subscribes_changes_and_leaves_by_text_alone(hooks: Flask) -> None:
    status, words = call(hooks, form("訂閱坑梓"))
    assert (status, words) == (200, "【坪山应急】已订阅坑梓街道的预警。退订发TD，帮助发“帮助”。如只要社区的，请发：只订 坑梓社区")
    with hooks.app_context():
        street = set(lookup.communities_under(["440310005000"]))
    assert chosen(hooks) == ("active", street, "zh")
    assert "ONLY" not in call(hooks, form("ONLY Kengzi Community"))[1]
    assert chosen(hooks) == ("active", {KENGZI}, "zh"), "they chose Chinese before"
    assert "坑梓社区" in call(hooks, form("查询"))[1]
    assert call(hooks, form("退訂"))[1].startswith("【坪山应急】已退订")
    assert chosen(hooks)[0] == "opted_out"
    assert story(hooks) == [("subscribed", "sms"), ("changed", "sms"), ("opted_out", "sms")]


def test_english_is_answered_in_english_and_one_of_several_places_can_be_left(hooks: Flask) -> None:
    assert call(hooks, form("subkengzi", OTHER))[1].startswith("You will get warnings for Kengzi Subdistrict.")
    assert "Liulian" in call(hooks, form("ＳＵＢ　ｌｉｕｌｉａｎ", OTHER))[1]
    assert chosen(hooks, OTHER)[2] == "en"
    assert call(hooks, form("unsub Kengzi", OTHER))[1].startswith("No more warnings for Kengzi Subdistrict.")
    assert chosen(hooks, OTHER)[:2] == ("active", {"440310001001"})
    assert call(hooks, form("unsub Liulian", OTHER))[1].startswith("You have left"), "it was the last one"
    assert chosen(hooks, OTHER)[0] == "opted_out"


def test_what_is_doubtful_is_asked_and_subscribes_nobody(hooks: Flask) -> None:
    assert call(hooks, form("SUB kz"))[1] == "Which place? Text: SUB Kengzi Subdistrict; SUB Kengzi Community"
    assert "没有找到" in call(hooks, form("订阅 火星"))[1]
    assert "例如：订阅 坪山" in call(hooks, form("订阅"))[1]
    assert chosen(hooks) == ("", set(), "")


def test_a_place_that_is_no_longer_in_the_tree_does_not_keep_anybody_from_another(hooks: Flask) -> None:
    call(hooks, form("订阅 六联"))
    with hooks.app_context(), transaction() as session:
        session.execute(update(SubscriberRegion).values(region_code="440310999001"))
    assert "已订阅秀新社区的预警" in call(hooks, form("订阅 秀新"))[1]
    assert chosen(hooks)[1] == {"440310005002"}


def test_a_call_that_comes_twice_or_late_does_nothing_again(hooks: Flask) -> None:
    joined = form("订阅 坑梓")
    first = call(hooks, joined)
    assert call(hooks, joined) == first, "the same words again"
    assert call(hooks, form("TD"))[0] == 200
    assert call(hooks, joined) == first
    assert chosen(hooks)[0] == "opted_out", "the first text, told once more, brings nobody back"
    assert [kind for kind, _source in story(hooks)] == ["subscribed", "opted_out"]
    with hooks.app_context():
        assert db.session.scalar(select(func.count()).select_from(InboundText)) == 2


def test_forged_calls_and_junk_do_nothing(hooks: Flask) -> None:
    values = form("订阅 坑梓")
    good = signed(PUBLIC + PATH, values)
    for bad in ({}, signed(PUBLIC + PATH, values, "guess"), {"X-Twilio-Signature": "x"}):
        assert call(hooks, values, bad)[0] == 403
    assert call(hooks, values | {"From": OTHER}, good)[0] == 403
    assert call(hooks, values | {"Body": "TD"}, good)[0] == 403
    assert call(hooks, form("TD", AccountSid="AC" + "9" * 32))[0] == 400
    assert call(hooks, form("TD", sid="x" * 65))[0] == 400
    assert call(hooks, form("TD", path := "10086")) == (200, ""), path
    assert call(hooks, form("TD", "whatsapp:+8612900000001")) == (200, "")
    assert call(hooks, form("x" * 20_000))[0] == 413
    assert call(hooks, form("TD"), path="/hooks/sms/sandbox/inbound")[0] == 404
    assert hooks.test_client().get(PATH).status_code == 405
    with hooks.app_context():
        assert db.session.scalar(select(func.count()).select_from(Subscriber)) == 0
        assert db.session.scalar(select(func.count()).select_from(InboundText)) == 0


def test_where_the_carrier_answers_by_itself_we_act_and_keep_quiet(hooks: Flask) -> None:
    call(hooks, form("订阅 坑梓"))
    assert call(hooks, form("Stop ")) == (200, "")
    assert chosen(hooks)[0] == "opted_out"
    assert call(hooks, form("START")) == (200, "")
    assert chosen(hooks)[0] == "active"
    assert call(hooks, form("退订", OptOutType="STOP")) == (200, ""), "a word of the Messaging Service's own"
    assert chosen(hooks)[0] == "opted_out"
    assert "帮助" in call(hooks, form("订阅 六联"))[1]
    assert call(hooks, form("ARRET", OptOutType="STOP")) == (200, ""), "one that we do not know: it blocked the number there"
    assert chosen(hooks)[0] == "opted_out"
    assert "帮助" in call(hooks, form("订阅 六联"))[1]
    assert chosen(hooks)[:2] == ("active", {"440310001001"})


def test_where_the_carrier_does_not_answer_by_itself_we_do(make_app: Callable[..., Flask]) -> None:
    app = make_app(**TWILIO, twilio_answers_keywords=False)
    with app.app_context():
        demo.seed()
    assert call(app, form("STOP", OTHER))[1].startswith("You have left")
    assert call(app, form("HELP", OTHER))[1].startswith("SUB ")
    assert call(app, form("ARRET", OTHER, OptOutType="STOP")) == (200, ""), "unless it says that it did"


def test_who_erases_by_text_is_welcomed_no_more(hooks: Flask) -> None:
    call(hooks, form("订阅 坑梓"))
    with hooks.app_context():
        row = wishes.find(hooks.extensions["phones"].index(PHONE))
        with transaction() as session:
            for ref in (f"welcome.{row.id}.2026-01-01", f"welcome.{row.id}1.2026-01-01"):
                assert notices.queue(session, ref, row.phone_sealed, "welcome", utcnow() + timedelta(hours=1))
    call(hooks, form("删除"))
    with hooks.app_context():
        assert db.session.scalars(select(SmsNotice.ref)).all() == [f"welcome.{row.id}1.2026-01-01"]


def test_who_leaves_without_having_been_here_is_remembered(hooks: Flask) -> None:
    assert call(hooks, form("TD"))[1].startswith("【坪山应急】已退订")
    with hooks.app_context():
        left = store.add_many([store.NewSubscriber(PHONE, "zh", 1, (KENGZI,), "roster")])
    assert left.left == 1
    assert chosen(hooks)[0] == "opted_out"


def test_a_phone_that_writes_a_thousand_texts_gets_few_answers_and_can_still_leave(hooks: Flask) -> None:
    with hooks.app_context():
        said = [inbound.receive("twilio", Inbound(f"m{n}", PHONE, "订阅 坑梓" if n == 0 else "你好")) for n in range(60)]
        assert [bool(words) for words in said] == [True] * 4 + [False] * 56
        assert said[3].endswith("24小时内的自动回复到此为止。退订随时有效：TD。遇险请拨119、110、120。")
        assert db.session.scalar(select(func.count()).select_from(InboundText)) == 4, "what is dropped is not kept"
        assert inbound.receive("twilio", Inbound("x", OTHER, "hello")), "others are answered"
        assert inbound.receive("twilio", Inbound("y", PHONE, "TD")) == ""
    assert chosen(hooks)[0] == "opted_out"
    with time_machine.travel(utcnow() + timedelta(hours=25)), hooks.app_context():
        assert inbound.receive("twilio", Inbound("z", PHONE, "帮助"))


def test_all_phones_together_are_answered_up_to_a_bound(make_app: Callable[..., Flask]) -> None:
    app = make_app(surfaces=["hooks"], sms_answers_per_day=5)
    with app.app_context():
        said = [inbound.receive("sandbox", Inbound(f"m{n}", f"+86129000000{n:02d}", "help")) for n in range(9)]
        assert [bool(words) for words in said] == [True] * 5 + [False] * 4
        assert inbound.receive("sandbox", Inbound("m9", PHONE, "stop")) == ""
        assert wishes.find(app.extensions["phones"].index(PHONE)).status == "opted_out"


def test_erasing_leaves_a_mark_and_no_number(hooks: Flask) -> None:
    call(hooks, form("订阅 坑梓"))
    assert "已删除" in call(hooks, form("刪除"))[1]
    with hooks.app_context():
        row = db.session.execute(select(Subscriber)).scalar_one()
        assert (row.status, row.phone_sealed) == ("opted_out", b"")
        assert db.session.scalar(select(func.count()).select_from(SubscriberRegion)) == 0
        answers = db.session.execute(select(InboundText.answer).order_by(InboundText.message_id)).scalars().all()
        assert not any("坑梓" in answer for answer in answers), "what was answered before is erased as well"
    for body in ("订阅 坑梓", "删除"):
        assert call(hooks, form(body))[1], "two more"
    assert call(hooks, form("帮助"))[1] == "", "who is erased again and again gets no more answers for that"


def test_old_texts_are_forgotten(hooks: Flask) -> None:
    call(hooks, form("帮助"))
    assert inbound.sweep(hooks) == 0
    with time_machine.travel(utcnow() + inbound.KEPT + timedelta(minutes=1)):
        assert inbound.sweep(hooks) == 1
    assert inbound.sweep(hooks) == 0


def test_two_calls_at_once_act_once(hooks: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one wrote down what it did between our first look and our own turn."""
    with hooks.app_context():
        text = Inbound("same", PHONE, "订阅 坑梓")
        first = inbound.receive("twilio", text)
        monkeypatch.setattr(inbound, "_said", lambda *_: None)
        assert inbound.receive("twilio", text) == first
    assert [kind for kind, _source in story(hooks)] == ["subscribed"]


def test_what_fails_is_not_taken_for_done(hooks: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    hooks.testing = False
    values = form("订阅 坑梓")
    with monkeypatch.context() as patch:
        patch.setattr(wishes, "choose", lambda *_, **__: 1 // 0)
        assert call(hooks, values)[0] == 500
    assert call(hooks, values)[0] == 200, "the carrier tries again, and now it is done"
    assert chosen(hooks)[0] == "active"
    with hooks.app_context(), transaction() as session:
        session.execute(select(Subscriber))
