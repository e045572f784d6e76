"""What the scheduler does for the figures. Each part is harmless when it runs twice, and one that fails keeps no other."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from flask import Flask

from portal.training.figures import audience, folding, responders

log = logging.getLogger(__name__)

#: Seconds between two counts of responders, and between two looks at who belongs to their audience.
SELDOM = 300


class FiguresJob:
    """Called every minute: folds what has ended; every five minutes counts responders and puts their audience right."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._next = 0.0

    def __call__(self) -> None:
        self._try("attempts in the figures of questions", folding.fold)
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + SELDOM
            self._try("counts of responders", responders.count)
            self._try("changes in the audience of responders", audience.refresh_all)

    def _try(self, what: str, work: Callable[[Flask], int]) -> None:
        try:
            if done := work(self._app):
                log.info("%s: %d", what, done)
        except Exception:
            log.exception("%s: failed, and is tried again", what)
