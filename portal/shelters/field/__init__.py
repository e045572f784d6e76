"""The evacuation field: from everywhere on the graph the way to the nearest suitable open shelter with room."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portal.shelters.field.view import FieldView


def current() -> FieldView | None:
    """The newest field; None while none was computed, or the newest cannot be read. Kept per process until there is a newer."""
    from portal.shelters.field import store  # needs the graph's libraries, which most of the rooms above do not

    return store.current()
