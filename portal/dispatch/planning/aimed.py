"""Whom the target means, community by community in the order of the plan; who belongs to several is taken in the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from portal.channels.push import store as devices
from portal.channels.speakers import registry
from portal.core.arrays import ById
from portal.core.i18n import LANGUAGES
from portal.dispatch.models import PUSH, SMS, SPEAKERS, WEB
from portal.dispatch.planning.carried import ANY, Carriers
from portal.dispatch.planning.pieces import Job, Part, Phase, Piece, counted, fresh
from portal.subscribers import crowd
from portal.subscribers.matter import end_of_quiet
from portal.warnings import target

NAME = "target"
#: Communities that one piece asks about at most: many may have nobody.
MOST_PLACES = 200


class Texts:
    """Subscribers. Those who have quiet hours stand beside the others, in batches that wait, unless the matter is loud."""

    name = NAME

    def __init__(self, job: Job, taken: ById) -> None:
        self._job, self._taken = job, taken
        self._crowd = crowd.Crowd(target.audience_mask(job.target), job.matter)
        self._carriers = Carriers(job) if job.earlier and job.carriers else None
        self._began: int | None = None  # the place where this reading began
        self._asked = 0  # people asked about since

    def read(self, after: tuple[Any, ...], limit: int) -> Piece:
        places = self._job.places
        at, last = after or (0, 0)
        self._began = at if self._began is None else self._began
        if self._asked and self._crowd.worth_reading(self._still(at)):
            self._crowd.read_ahead()
        parts: list[Part] = []
        end, room = min(at + MOST_PLACES, len(places)), limit
        while at < end and room > 0:
            ids, codes = self._crowd.page(places[at], last, room)
            parts += self._parts(places[at], ids, codes)
            at, last = (at, int(ids[-1])) if len(ids) == room else (at + 1, 0)
            room -= len(ids)
            self._asked += len(ids)
        return Piece(parts, (at, last) if at < len(places) else None)

    def _still(self, at: int) -> int:
        """About how many people are still to be asked about, if the other communities are as those so far."""
        done = at - (self._began or 0)
        return self._asked * (len(self._job.places) - at) // done if done else self._asked

    def _parts(self, place: str, ids: np.ndarray, codes: np.ndarray) -> list[Part]:
        told = codes != crowd.NOT_TOLD
        ids, codes = ids[told], codes[told]
        new = fresh(ids, self._taken)
        ids, codes = ids[new], codes[new]
        parts = []
        carriers = self._carriers.split(place, ids) if self._carriers else [(ANY, np.full(len(ids), fill_value=True))]
        languages, hours, audiences = crowd.language_of(codes), crowd.hour_of(codes), crowd.audiences_of(codes)
        for hour in np.unique(hours):  # -1, at once, comes first
            until = end_of_quiet(int(hour), self._job.at, self._job.zone) if hour >= 0 else None
            for number, language in enumerate(LANGUAGES):
                for carrier, theirs in carriers:
                    here = (hours == hour) & (languages == number) & theirs
                    if here.any():
                        parts.append(Part(place, language, ids[here], counted(audiences[here]), until, carrier))
        return parts


class Devices:
    """Browsers with notifications, without quiet hours: whether a device makes a sound at night is set on the device. It counts
    as a resident's, since it says nothing of who holds it."""

    name = NAME

    def __init__(self, job: Job, taken: ById) -> None:
        self._job, self._taken = job, taken
        self._stops = [(place, language) for place in job.places for language in LANGUAGES]
        if not target.to_residents(job.target):
            self._stops = []

    def read(self, after: tuple[Any, ...], limit: int) -> Piece:
        at, last = after or (0, 0)
        parts: list[Part] = []
        end, room = min(at + MOST_PLACES, len(self._stops)), limit
        while at < end and room > 0:
            place, language = self._stops[at]
            found = devices.page(place, language, self._job.matter.tier, after_id=last, limit=room)
            parts += _whole(place, language, found, self._taken)
            at, last = (at, found[-1]) if len(found) == room else (at + 1, 0)
            room -= len(found)
        return Piece(parts, (at, last) if at < len(self._stops) else None)


class Horns:
    """Loudspeakers, which belong to one community each."""

    name = NAME

    def __init__(self, job: Job, taken: ById) -> None:
        self._job, self._taken = job, taken
        self._areas = target.speaker_areas(job.target, job.places)

    def read(self, after: tuple[Any, ...], limit: int) -> Piece:
        places = self._job.places
        at, last = after or (0, 0)
        parts: list[Part] = []
        end, room = min(at + MOST_PLACES, len(places)), limit
        while at < end and room > 0:
            found = registry.page(places[at], last, room, self._areas[at])
            parts += _whole(places[at], "", found, self._taken)
            at, last = (at, found[-1]) if len(found) == room else (at + 1, 0)
            room -= len(found)
        return Piece(parts, (at, last) if at < len(places) else None)


class Page:
    """Publishing is one act for everybody."""

    name = NAME

    def __init__(self, district: str) -> None:
        self._district = district

    def read(self, _after: tuple[Any, ...], _limit: int) -> Piece:
        return Piece([Part(self._district, "", np.zeros(1, dtype="<i8"), {0: 1})], None)


def aimed(job: Job, taken: ById, district: str) -> Phase:
    if job.channel == WEB:
        return Page(district)
    makers: dict[str, Callable[[Job, ById], Phase]] = {SMS: Texts, PUSH: Devices, SPEAKERS: Horns}
    return makers[job.channel](job, taken)


def _whole(place: str, language: str, found: list[int], taken: ById) -> list[Part]:
    ids = np.array(found, dtype="<i8")
    ids = ids[fresh(ids, taken)]
    return [Part(place, language, ids, {0: len(ids)})] if len(ids) else []
