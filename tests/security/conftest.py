"""The desk's district and seats serve here too: the same real requests, with what no browser would send."""

from tests.desk.conftest import seat, settled  # noqa: F401
