"""Signals inside one process. They only save waiting: whatever they announce is found in the database as well."""

from blinker import Signal

#: There is something to plan, send, settle or fold.
work = Signal()
