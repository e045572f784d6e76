"""Browsers that asked for notifications."""

import sqlalchemy as sa
from alembic import op

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table('push_device',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('endpoint_hash', sa.LargeBinary(length=32), nullable=False),
    sa.Column('sealed', sa.LargeBinary(length=1400), nullable=False),
    sa.Column('host', sa.String(length=120), nullable=False),
    sa.Column('language', sa.String(length=8), nullable=False),
    sa.Column('lowest_tier', sa.SmallInteger(), nullable=False),
    sa.Column('source_hash', sa.LargeBinary(length=16), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_push_device')),
    sa.UniqueConstraint('endpoint_hash', name=op.f('uq_push_device_endpoint_hash')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('push_device', schema=None) as batch_op:
        batch_op.create_index('ix_push_device_source', ['source_hash', 'created_at'], unique=False)

    op.create_table('push_device_region',
    sa.Column('region_code', sa.String(length=12), nullable=False),
    sa.Column('device_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.ForeignKeyConstraint(['device_id'], ['push_device.id'], name=op.f('fk_push_device_region_device_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('region_code', 'device_id', name=op.f('pk_push_device_region'))
    )
    with op.batch_alter_table('push_device_region', schema=None) as batch_op:
        batch_op.create_index('ix_push_device_region_device', ['device_id', 'region_code'], unique=False)




def downgrade() -> None:

    with op.batch_alter_table('push_device_region', schema=None) as batch_op:
        batch_op.drop_index('ix_push_device_region_device')

    op.drop_table('push_device_region')
    with op.batch_alter_table('push_device', schema=None) as batch_op:
        batch_op.drop_index('ix_push_device_source')

    op.drop_table('push_device')

