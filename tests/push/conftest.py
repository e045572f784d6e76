from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.push.service import PushService, running


@pytest.fixture(scope="session")
def push_process() -> Iterator[PushService]:
    with running() as service:
        yield service


@pytest.fixture
def push_service(push_process: PushService) -> PushService:
    push_process.behave("*", "")
    return push_process
