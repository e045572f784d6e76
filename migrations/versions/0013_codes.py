"""From which network address a one-time code was asked for, as a keyed hash."""

import sqlalchemy as sa
from alembic import op

revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('one_time_code', schema=None) as batch_op:
        batch_op.add_column(sa.Column('asked_from', sa.LargeBinary(length=16), nullable=True))
        batch_op.create_index('ix_one_time_code_asked_from', ['asked_from', 'sent_at'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('one_time_code', schema=None) as batch_op:
        batch_op.drop_index('ix_one_time_code_asked_from')
        batch_op.drop_column('asked_from')
