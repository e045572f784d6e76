"""Migrations go up and down on both databases, keep the data, and make exactly what the models say."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from portal.cli import main
from portal.core import migrate
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.identity.models import Account, Duty
from portal.regions.models import Region
from tests.old_database import portal_at

REAL = migrate.MIGRATIONS / "versions"

SECOND = '''"""rebuild account, which has children."""
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None


def upgrade():
    with op.batch_alter_table("account", recreate="auto") as batch:
        batch.add_column(sa.Column("remark", sa.String(20), nullable=False, server_default="x"))
        batch.alter_column("display_name", type_=sa.String(90), existing_type=sa.String(80))


def downgrade():
    with op.batch_alter_table("account") as batch:
        batch.alter_column("display_name", type_=sa.String(80), existing_type=sa.String(90))
        batch.drop_column("remark")
'''
BROKEN = '''"""fails half-way."""
from alembic import op
revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None


def upgrade():
    op.execute("CREATE TABLE half_way (id INTEGER)")
    op.execute("INSERT INTO no_such_table VALUES (1)")


def downgrade():
    pass
'''


@pytest.fixture
def app(database_kind, request, tmp_path):
    """An application on a database without any table."""
    with portal_at("", database_kind, request, tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """A first revision of today's models, written into a scratch directory."""
    versions = tmp_path_factory.mktemp("versions")
    migrate.revision("everything", versions)
    return versions


@pytest.fixture
def versions(written, tmp_path) -> Path:
    copy = tmp_path / "versions"
    copy.mkdir()
    for path in written.glob("*.py"):
        (copy / path.name).write_text(path.read_text())
    return copy


def _people() -> None:
    with transaction() as session:
        session.add(Region(code="440310000000", level="district", name_zh="坪山区", name_en="Pingshan",
                           boundary={"type": "Polygon", "coordinates": []}))
        session.add(Account(username="a", display_name="甲", fs_uniquifier="u", created_at=utcnow(),
                            duties=[Duty(role="drafter", region_code="440310000000", highest_tier="red")]))


def _tables() -> set[str]:
    with db.engine.connect() as connection:
        return set(sa.inspect(connection).get_table_names())


def test_a_written_revision_names_no_code_of_ours(written):
    text = next(written.glob("0001_*.py")).read_text()
    assert "portal" not in text
    assert "sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')" in text
    assert "sa.DateTime(timezone=True)" in text


def test_up_makes_what_the_models_say_and_down_leaves_nothing(app, versions):
    assert not migrate.current_is_head(app, versions)
    migrate.upgrade(app, versions=versions)
    assert migrate.current_is_head(app, versions)
    assert migrate.differences(app) == []
    _people()
    migrate.downgrade(app, "base", versions)
    assert _tables() == {"alembic_version"}
    migrate.upgrade(app, versions=versions)
    assert migrate.differences(app) == []


def test_a_table_is_rebuilt_with_its_rows_and_their_children(app, versions):
    migrate.upgrade(app, versions=versions)
    _people()
    (versions / "0002_second.py").write_text(SECOND)
    assert not migrate.current_is_head(app, versions)
    migrate.upgrade(app, versions=versions)
    assert any("remark" in change for change in migrate.differences(app))
    migrate.downgrade(app, "-1", versions)
    assert migrate.differences(app) == []
    account = db.session.scalars(sa.select(Account)).one()
    assert (account.display_name, [d.role for d in account.duties]) == ("甲", ["drafter"])


def test_a_migration_that_fails_leaves_everything_as_it_was(app, versions):
    migrate.upgrade(app, versions=versions)
    before = _tables()
    (versions / "0002_broken.py").write_text(BROKEN)
    with pytest.raises(sa.exc.DatabaseError):
        migrate.upgrade(app, versions=versions)
    assert _tables() == before
    with db.engine.connect() as connection:
        assert migrate.current(connection) == "0001"


def test_no_revision_is_written_where_nothing_differs(versions):
    with pytest.raises(ValueError, match="nothing to write"):
        migrate.revision("again", versions)
    assert [p.name[:4] for p in versions.glob("*.py")] == ["0001"]


def test_the_shipped_migrations_make_what_the_models_say(app):
    assert migrate.head(), "no revision yet: run `anlan db revision -m \"first tables\"`"
    migrate.upgrade(app)
    assert migrate.differences(app) == []
    _people()
    migrate.downgrade(app, "base")
    migrate.upgrade(app)
    assert migrate.differences(app) == []


def test_the_commands_tell_where_the_database_is(tmp_path, monkeypatch):
    monkeypatch.setenv("ANLAN_INSTANCE", str(tmp_path))
    before = CliRunner().invoke(main, ["db", "check"])
    assert (before.exit_code, "anlan db upgrade" in before.output) == (1, True)
    assert CliRunner().invoke(main, ["db", "upgrade"]).exit_code == 0
    after = CliRunner().invoke(main, ["db", "check"])
    assert (after.exit_code, after.output) == (0, "0 differences between the tables and the models\n")
