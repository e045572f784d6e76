"""On PostgreSQL the key of subscribers brings all that a text needs of its person, so that the table is not looked at."""

from alembic import op

revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None

CHILDREN = ('subscriber_region', 'subscriber_given')


def upgrade() -> None:
    _make_key(' INCLUDE (status, audiences, phone_sealed)')


def downgrade() -> None:
    _make_key('')


def _make_key(with_it: str) -> None:
    if op.get_bind().dialect.name != 'postgresql':  # SQLite's rows lie in their key
        return
    for child in CHILDREN:
        op.drop_constraint(f'fk_{child}_subscriber_id', child, type_='foreignkey')
    op.execute(f'ALTER TABLE subscriber DROP CONSTRAINT pk_subscriber, ADD CONSTRAINT pk_subscriber PRIMARY KEY (id){with_it}')
    for child in CHILDREN:
        op.create_foreign_key(f'fk_{child}_subscriber_id', child, 'subscriber', ['subscriber_id'], ['id'], ondelete='CASCADE')
