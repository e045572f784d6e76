"""What a process runs beside answering requests: the channels, the engine, the bridge, the clock.

Every mode is made of the same parts; `portal/run.py` puts them together for each command.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable

from flask import Flask

from portal.channels.push.webpush import WebPush
from portal.channels.sms.lines.registry import make_lines
from portal.channels.speakers.mqtt import MqttBridge
from portal.channels.speakers.states import StateBuffer
from portal.config import Settings
from portal.core import keys
from portal.dispatch.answers import AnswerBox
from portal.dispatch.brought import ears
from portal.dispatch.bulk.office import Office
from portal.dispatch.channels import Channel, SpeakerChannel, WebChannel
from portal.dispatch.engine import Engine
from portal.dispatch.models import PUSH, SPEAKERS, WEB
from portal.dispatch.notification import PushChannel
from portal.scheduler import make_scheduler
from portal.site.publish import publish

log = logging.getLogger(__name__)


class Sender:
    """Planning and sending with all that it needs, in threads of this process."""

    def __init__(self, app: Flask, *, mqtt_url: str = "", alone: bool = False) -> None:
        settings: Settings = app.extensions["anlan"]
        self._app = app
        self.box = AnswerBox()
        self.states = StateBuffer(app)
        self.bridge = self._make_bridge(settings, mqtt_url or settings.mqtt_url)
        channels: dict[str, Channel] = {
            WEB: WebChannel(publish),
            SPEAKERS: SpeakerChannel({"mqtt": self.bridge} if self.bridge else {}),
        }
        self.push = WebPush(settings) if settings.push_services else None
        if self.push:
            channels[PUSH] = PushChannel(self.push)
        on_sqlite = settings.sqlalchemy_url.startswith("sqlite")
        self.office = Office(app, make_lines(settings, **ears(app)), keeper=not alone and not on_sqlite)
        self.engine = Engine(app, channels, office=self.office, box=self.box, alone=alone)

    def _make_bridge(self, settings: Settings, url: str) -> MqttBridge | None:
        if not url:
            return None
        return MqttBridge(
            url,
            settings.mqtt_topic,
            keys.speaker_key(settings),
            on_answer=self.box.put,
            on_state=self.states.put,
            client_id=f"anlan-{socket.gethostname()[:20]}-{os.getpid()}",
            ack_seconds=settings.speaker_ack_seconds,
        )

    def start(self) -> None:
        if self.bridge:
            self.bridge.start()
        self.states.start()
        self.engine.start()

    def stop(self) -> None:
        self.engine.stop()
        self.states.close()
        if self.bridge:
            self.bridge.close()
        if self.push:
            self.push.close()


class Clock:
    """The scheduler of one leader."""

    def __init__(self, app: Flask, publish_pages: Callable[[], object] = publish) -> None:
        self._scheduler = make_scheduler(app, publish_pages)

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        self._scheduler.shutdown(wait=True)

    def abandon(self) -> None:
        """Begin nothing more and wait for nothing: another process keeps the time now. What has begun harms nobody twice."""
        self._scheduler.shutdown(wait=False)
