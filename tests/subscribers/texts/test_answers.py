"""Answers cost by the segment: each fits into two, in both languages, for those who have much and those who have nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from flask import Flask

from portal.channels.sms import inbound, segments
from portal.channels.sms.provider import Inbound
from portal.regions import demo
from tests.shelters.one_database import database_url  # noqa: F401  (words, not SQL)

PHONE = "+8612900000001"
BODIES = ("订阅 坑梓", "SUB Kengzi", "sub 440310401498", "TD", "帮助", "help", "订阅 六联 沙田 秀新 坪环 龙田", "查询", "STATUS",
          "坑梓", "Kengzi", "sub k", "你好", "nothing", "退订 坑梓", "删除", "only xiuxin")


def test_answers_fit_into_two_segments(make_app: Callable[..., Flask]) -> None:
    app = make_app(surfaces=["hooks"], sms_answers_per_phone=1000)
    with app.app_context():
        demo.seed()
        for number, (body, before) in enumerate(itertools.product(BODIES, ("td", "sub pingshan, longtian, biling, kengzi"))):
            inbound.receive("sandbox", Inbound(f"{number}b", PHONE, before))
            said = inbound.receive("sandbox", Inbound(f"{number}", PHONE, body))
            assert 1 <= segments.count(said).segments <= 2, said


def test_who_cries_for_help_reads_first_whom_to_call(make_app: Callable[..., Flask]) -> None:
    app = make_app(surfaces=["hooks"])
    with app.app_context():
        demo.seed()
        for number, (body, start) in enumerate((("着火了救命", "未能识别您的短信（自动回复）。生命危险请拨119、110、120。"),
                                                ("my house is on fire", "Not understood: this is an automatic answer. Danger"))):
            said = inbound.receive("sandbox", Inbound(f"{number}", PHONE, body))
            assert said.removeprefix("【坪山应急】").startswith(start)
            assert segments.count(said).segments <= 2
