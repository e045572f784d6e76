"""Shelters with keepers, an office with the duty, bulletins that call for shelters, and a phone without scripts."""

from __future__ import annotations

import re
from contextvars import Context

import lxml.html
import pytest

from portal.channels.sms import phones
from portal.core.db import transaction
from portal.dispatch.issue import issue
from portal.identity.rights import SHELTERS
from portal.shelters.living import keepers
from portal.warnings import bulletins
from tests import district
from tests.desk.conftest import Seat, seat, settled  # noqa: F401
from tests.shelters.places import make_shelter

PHONE, OTHER = "+8612900000001", "+8612900000002"


class Phone:
    """A browser without scripts in somebody's hand."""

    def __init__(self, app, number, language="en"):
        self.client, self.number = app.test_client(), number
        with Context().run(lambda: self.client.session_transaction()) as cookie:
            cookie["language"] = language

    def get(self, path):
        return Context().run(self.client.get, path)

    def send(self, path, data=None, *, page="/staff/sign-in", json=False):
        got = self.get(page)
        while got.status_code == 302:
            got = self.get(got.location)
        token = lxml.html.fromstring(got.text).xpath("//input[@name='csrf_token']")[0].value
        headers = {"Accept": "application/json"} if json else {}
        return Context().run(lambda: self.client.post(path, data={"csrf_token": token} | (data or {}), headers=headers))

    def code(self):
        shown, _older = phones.page(phones.Filter(digits=self.number))
        return re.search(r"\d{6}", shown[0].body)[0]

    def sign_in(self):
        assert self.send("/staff/sign-in", {"phone": self.number}).status_code == 200
        assert self.send("/staff/code", {"phone": self.number, "code": self.code()}).status_code == 302
        return self

    def fields(self, path, form=0):
        """What a form of the page would send: by its place on the page, or the end of its action."""
        root = lxml.html.fromstring(self.get(path).text)
        found = root.xpath(f"//form[@data-report='{form}']") if isinstance(form, str) else [root.forms[form]]
        return dict(found[0].form_values())


@pytest.fixture
def district_(settled):  # noqa: F811
    """The application with regions; messages leave at once."""
    settled.extensions["sms_courier"] = lambda work: work()
    return settled


@pytest.fixture
def office(district_):
    return district.office("shelters", (SHELTERS, district.DISTRICT, "red"))


@pytest.fixture
def shelter(district_):
    with transaction() as session:
        return make_shelter(session, code="S1", name_zh="体育馆", name_en="Sports hall", capacity_day=240, capacity_night=200)


@pytest.fixture
def keeper(office, shelter):
    return keepers.add(office, shelter.id, phone=PHONE, post="Front door", language="en")


@pytest.fixture
def phone(district_, keeper):
    return Phone(district_, PHONE).sign_in()


@pytest.fixture
def bulletin(district_):
    """`bulletin(exercise=True)`: an issued red typhoon bulletin for two streets, or what is asked for."""
    people = {}

    def make(**changes):
        people.setdefault("drafter", people.get("drafter") or district.drafter())
        people.setdefault("approver", people.get("approver") or district.approver())
        draft = district.submitted(people["drafter"], **({"hazard": "11B01"} | changes))
        made = issue(people["approver"], draft.id, version=draft.version, content_hash=draft.content_hash)
        return bulletins.get(made.id)
    return make
