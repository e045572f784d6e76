"""A town with a graph and two shelters in a database."""

import pytest

from portal import create_app
from portal.config import Settings
from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.shelters.roads import store
from tests.shelters.grid import LAT0, LON0, STEP_LAT, STEP_LON, grid
from tests.shelters.places import make_shelter


@pytest.fixture
def app(make_app):
    return make_app(surfaces=["hooks"])  # nothing here has pages


@pytest.fixture(scope="session")
def speaking_app(tmp_path_factory):
    return create_app(Settings(instance=tmp_path_factory.mktemp("words"), secret_key="test " * 10, phone_key="ab" * 32,
                               surfaces=["hooks"]))


@pytest.fixture
def words(speaking_app):
    """An application's context for the words of routes; nothing is stored."""
    with speaking_app.app_context():
        yield speaking_app


@pytest.fixture
def town(context):
    """A graph of 8 × 8 crossings and an open shelter at its south-west corner; the codes of the shelters are T-0 and T-1,
    the second is at the other end and nobody said its state."""
    store.save(grid(8, 8), source="test")
    with transaction() as session:
        make_shelter(session, code="T-0", longitude=LON0, latitude=LAT0, status="open", status_at=utcnow(), occupancy=0)
        make_shelter(session, code="T-1", longitude=LON0 + 7 * STEP_LON, latitude=LAT0 + 7 * STEP_LAT)
    return context
