"""Who carried a message, counts by audience, receipts by the carrier's number, processes and alarms."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None

TALLY = ['dispatch_id', 'region_code', 'language', 'key']


def upgrade() -> None:
    op.create_table('alarm',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('subject', sa.String(length=80), nullable=False),
    sa.Column('raised_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('told_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('cleared_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alarm'))
    )
    with op.batch_alter_table('alarm', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_alarm_cleared_at'), ['cleared_at'], unique=False)

    op.create_table('carried',
    sa.Column('carrier', sa.String(length=20), nullable=False),
    sa.Column('carrier_id', sa.String(length=64), nullable=False),
    sa.Column('batch_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('recipient_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('carrier', 'carrier_id', name=op.f('pk_carried'))
    )
    with op.batch_alter_table('carried', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_carried_at'), ['at'], unique=False)

    op.create_table('stray_receipt',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('carrier', sa.String(length=20), nullable=False),
    sa.Column('carrier_id', sa.String(length=64), nullable=False),
    sa.Column('batch_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('recipient_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('status', sa.String(length=12), nullable=False),
    sa.Column('code', sa.String(length=40), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_stray_receipt'))
    )
    with op.batch_alter_table('stray_receipt', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_stray_receipt_at'), ['at'], unique=False)

    op.create_table('worker',
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('kind', sa.String(length=12), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('state', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_worker'))
    )
    with op.batch_alter_table('batch', schema=None) as batch_op:
        batch_op.add_column(sa.Column('carrier', sa.String(length=20), server_default='', nullable=False))
        batch_op.add_column(sa.Column('last_at', sa.DateTime(timezone=True), nullable=True))
    if op.get_bind().dialect.name == 'postgresql':  # lists of ids are hardly any shorter when compressed
        op.execute('ALTER TABLE batch ALTER COLUMN recipients SET STORAGE EXTERNAL')
        op.execute('ALTER TABLE batch ALTER COLUMN unsure SET STORAGE EXTERNAL')

    with op.batch_alter_table('dispatch', schema=None) as batch_op:
        batch_op.add_column(sa.Column('places', sa.Text(), server_default='', nullable=False))
        batch_op.add_column(sa.Column('moved_at', sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table('outcome', schema=None) as batch_op:
        batch_op.add_column(sa.Column('carrier', sa.String(length=20), server_default='', nullable=False))
        batch_op.add_column(sa.Column('audiences', sa.BigInteger(), server_default='0', nullable=False))

    with op.batch_alter_table('receipt', schema=None) as batch_op:
        batch_op.add_column(sa.Column('carrier', sa.String(length=20), server_default='', nullable=False))
        batch_op.add_column(sa.Column('carrier_id', sa.String(length=64), server_default='', nullable=False))

    with op.batch_alter_table('tally', schema=None) as batch_op:
        batch_op.add_column(sa.Column('audiences', sa.BigInteger(), server_default='0', nullable=False))
        batch_op.add_column(sa.Column('slot', sa.SmallInteger(), server_default='0', nullable=False))
        batch_op.drop_constraint('pk_tally', type_='primary')
        batch_op.create_primary_key('pk_tally', [*TALLY, 'audiences', 'slot'])


def downgrade() -> None:
    # Counts that lay apart lie together again.
    columns = ', '.join(TALLY)
    op.execute(f'CREATE TEMPORARY TABLE summed AS SELECT {columns}, SUM(n) AS n FROM tally GROUP BY {columns}')
    op.execute('DELETE FROM tally')
    with op.batch_alter_table('tally', schema=None) as batch_op:
        batch_op.drop_constraint('pk_tally', type_='primary')
        batch_op.create_primary_key('pk_tally', TALLY)
        batch_op.drop_column('slot')
        batch_op.drop_column('audiences')
    op.execute(f'INSERT INTO tally ({columns}, n) SELECT {columns}, n FROM summed')
    op.execute('DROP TABLE summed')

    with op.batch_alter_table('receipt', schema=None) as batch_op:
        batch_op.drop_column('carrier_id')
        batch_op.drop_column('carrier')

    with op.batch_alter_table('outcome', schema=None) as batch_op:
        batch_op.drop_column('audiences')
        batch_op.drop_column('carrier')

    with op.batch_alter_table('dispatch', schema=None) as batch_op:
        batch_op.drop_column('moved_at')
        batch_op.drop_column('places')

    if op.get_bind().dialect.name == 'postgresql':
        op.execute('ALTER TABLE batch ALTER COLUMN recipients SET STORAGE EXTENDED')
        op.execute('ALTER TABLE batch ALTER COLUMN unsure SET STORAGE EXTENDED')
    with op.batch_alter_table('batch', schema=None) as batch_op:
        batch_op.drop_column('last_at')
        batch_op.drop_column('carrier')

    op.drop_table('worker')
    with op.batch_alter_table('stray_receipt', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_stray_receipt_at'))

    op.drop_table('stray_receipt')
    with op.batch_alter_table('carried', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_carried_at'))

    op.drop_table('carried')
    with op.batch_alter_table('alarm', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_alarm_cleared_at'))

    op.drop_table('alarm')
