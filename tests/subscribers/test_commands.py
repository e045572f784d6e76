"""`anlan subscribers seed` takes in the demonstration's subscribers, or says what is missing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from portal import create_app
from portal.cli import main
from portal.config import Settings
from portal.core.db import db, transaction
from portal.regions.models import Region
from portal.subscribers import store
from tests.subscribers.conftest import DISTRICT, FIRST, STREET


@pytest.fixture
def run(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    settings = make_settings()
    for name in ("instance", "database_url"):
        monkeypatch.setenv(f"ANLAN_{name.upper()}", str(getattr(settings, name)))
    for name in ("secret_key", "phone_key"):
        monkeypatch.setenv(f"ANLAN_{name.upper()}", getattr(settings, name).get_secret_value())
    return lambda *arguments: CliRunner().invoke(main, ["subscribers", *arguments])


def test_seeding_needs_regions_and_says_so(run: Callable[..., Result]) -> None:
    result = run("seed", "--count", "10")
    assert result.exit_code == 1
    assert "import the regions first" in result.output


def test_seeding_tells_how_many_came_in(
    run: Callable[..., Result], make_settings: Callable[..., Settings]
) -> None:
    app = create_app(make_settings())
    with app.app_context():
        with transaction() as session:
            session.add_all(
                [
                    Region(code=DISTRICT, level="district", name_zh="区", name_en="District"),
                    Region(
                        code=STREET, parent_code=DISTRICT, level="street", name_zh="街道", name_en="Street"
                    ),
                    Region(
                        code=FIRST,
                        parent_code=STREET,
                        level="community",
                        name_zh="社区",
                        name_en="Community",
                        population=100,
                    ),
                ]
            )
        result = run("seed", "--count", "50")
        assert result.exit_code == 0, result.output
        assert "50 subscribers taken in" in result.output
        assert sum(store.count_in([DISTRICT]).values()) == 50
        db.session.rollback()
        db.engine.dispose()
