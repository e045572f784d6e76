"""Recipients of a batch, packed: little-endian 64-bit ids in the order in which they are sent."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def pack(ids: Iterable[int] | np.ndarray) -> bytes:
    if isinstance(ids, np.ndarray):
        return ids.astype("<i8").tobytes()
    return np.fromiter(ids, dtype="<i8").tobytes()


def unpack(packed: bytes) -> np.ndarray:
    """The ids as an int64 array."""
    return np.frombuffer(packed, dtype="<i8")
