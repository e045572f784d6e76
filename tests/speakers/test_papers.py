"""What the documentation says of the protocol is what the protocol does."""

from __future__ import annotations

import json
import re
from pathlib import Path

from portal.channels.speakers import horn, memory, mqtt, protocol
from tests.speakers.conftest import KEY, order

PAPER = (Path(__file__).parents[2] / "docs" / "loudspeakers.md").read_text(encoding="utf-8")


def test_every_field_of_a_command_is_explained_and_no_other() -> None:
    table = PAPER.split("## A command")[1].split("## What a device does")[0]
    named = {name for row in re.findall(r"^\| (`.*?) \|", table, re.M) for name in re.findall(r"`(\w+)`", row)}
    assert named == set(json.loads(protocol.encode(order(), 1, "horn-1", KEY))["command"])


def test_the_figures_are_those_of_the_code() -> None:
    assert f"last {memory.MAX_REMEMBERED} orders" in PAPER
    assert (horn.MAX_WAITING, "Sixteen orders wait" in PAPER) == (16, True)
    assert (mqtt.TRIES, "after three times" in PAPER) == (3, True)
    assert (protocol.CLOCK_SKEW.total_seconds(), "five minutes" in PAPER) == (300, True)


def test_a_device_can_be_written_from_the_paper_alone() -> None:
    payload = protocol.encode(order(), 1, "horn-1", KEY)
    body = json.dumps(json.loads(payload)["command"], ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    KEY.public_key().verify(bytes.fromhex(json.loads(payload)["signature"]), b"anlan horn command 1\x00" + body)
