"""Outcomes in pages: the ends of one batch that were written together and are alike become one row."""

from itertools import groupby

import numpy as np
import sqlalchemy as sa
from alembic import op

revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None

BATCHES = 50  # in memory at a time
LONG = ('recipients', 'audiences', 'carrier_ids')
ID = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')

outcome = sa.table('outcome', sa.column('batch_id', ID), sa.column('recipient_id', ID), sa.column('status', sa.String),
                   sa.column('code', sa.String), sa.column('carrier_id', sa.String), sa.column('at', sa.DateTime(timezone=True)),
                   sa.column('carrier', sa.String), sa.column('audiences', sa.BigInteger))
page = sa.table('outcome_page', sa.column('batch_id', ID), sa.column('first', ID), sa.column('at', sa.DateTime(timezone=True)),
                sa.column('status', sa.String), sa.column('code', sa.String), sa.column('carrier', sa.String),
                sa.column('size', sa.Integer), sa.column('recipients', sa.LargeBinary), sa.column('audiences', sa.LargeBinary),
                sa.column('carrier_ids', sa.Text))


def upgrade() -> None:
    op.create_table('outcome_page',
    sa.Column('batch_id', ID, autoincrement=False, nullable=False),
    sa.Column('first', ID, autoincrement=False, nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('status', sa.String(length=12), nullable=False),
    sa.Column('code', sa.String(length=40), nullable=False),
    sa.Column('carrier', sa.String(length=20), nullable=False),
    sa.Column('size', sa.Integer(), nullable=False),
    sa.Column('recipients', sa.LargeBinary(), nullable=False),
    sa.Column('audiences', sa.LargeBinary(), nullable=False),
    sa.Column('carrier_ids', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('batch_id', 'first', name=op.f('pk_outcome_page'))
    )
    if op.get_bind().dialect.name == 'postgresql':  # packed numbers are hardly any shorter when compressed
        for column in LONG:
            op.execute(f'ALTER TABLE outcome_page ALTER COLUMN {column} SET STORAGE EXTERNAL')
    _lock('outcome')
    for rows in _slices(outcome):
        op.bulk_insert(page, [_page(*alike, list(ends)) for alike, ends in groupby(rows, _alike)])
    op.drop_table('outcome')


def downgrade() -> None:
    op.create_table('outcome',
    sa.Column('batch_id', ID, autoincrement=False, nullable=False),
    sa.Column('recipient_id', ID, autoincrement=False, nullable=False),
    sa.Column('status', sa.String(length=12), nullable=False),
    sa.Column('code', sa.String(length=40), nullable=False),
    sa.Column('carrier_id', sa.String(length=64), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('carrier', sa.String(length=20), server_default='', nullable=False),
    sa.Column('audiences', sa.BigInteger(), server_default='0', nullable=False),
    sa.PrimaryKeyConstraint('batch_id', 'recipient_id', name=op.f('pk_outcome'))
    )
    _lock('outcome_page')
    for rows in _slices(page):
        op.bulk_insert(outcome, [row for one in rows for row in _rows(one)])
    op.drop_table('outcome_page')


def _lock(table: str) -> None:
    """A process of another release that still writes outcomes fails; what it wrote behind our back would be dropped unseen."""
    if op.get_bind().dialect.name == 'postgresql':
        op.execute(f'LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE')


def _slices(table: sa.TableClause):
    """All rows of a table, those that are alike beside each other, some batches at a time."""
    bind, last = op.get_bind(), 0
    alike = [table.c[name] for name in ('batch_id', 'at', 'status', 'code', 'carrier')]
    whom = table.c.recipient_id if table is outcome else table.c.first
    while True:
        some = sa.select(table.c.batch_id).where(table.c.batch_id > last).distinct().order_by(table.c.batch_id).limit(BATCHES)
        if not (found := bind.execute(some).scalars().all()):
            return
        yield bind.execute(sa.select(table).where(table.c.batch_id.between(found[0], found[-1])).order_by(*alike, whom)).all()
        last = found[-1]


def _alike(row):
    return row.batch_id, row.at, row.status, row.code, row.carrier


def _page(batch_id, at, status, code, carrier, ends):
    numbers = [end.carrier_id.replace('\n', ' ') for end in ends]
    return {'batch_id': batch_id, 'first': ends[0].recipient_id, 'at': at, 'status': status, 'code': code, 'carrier': carrier,
            'size': len(ends), 'recipients': _packed([end.recipient_id for end in ends]),
            'audiences': _packed([end.audiences for end in ends]), 'carrier_ids': '\n'.join(numbers) if any(numbers) else ''}


def _packed(values):
    """Little-endian, each number as wide as the widest of them needs it."""
    wide = np.array(values, dtype='<i8')
    for width in ('<i1', '<i2', '<i4'):
        if np.iinfo(width).min <= wide.min() and wide.max() <= np.iinfo(width).max:
            return wide.astype(width).tobytes()
    return wide.tobytes()


def _rows(one):
    ids, audiences = (np.frombuffer(long, f'<i{len(long) // one.size}').tolist() for long in (one.recipients, one.audiences))
    numbers = one.carrier_ids.split('\n') if one.carrier_ids else [''] * one.size
    return [{'batch_id': one.batch_id, 'recipient_id': i, 'status': one.status, 'code': one.code, 'carrier_id': number, 'at': one.at,
             'carrier': one.carrier, 'audiences': mask} for i, mask, number in zip(ids, audiences, numbers, strict=True)]
