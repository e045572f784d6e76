"""Behind proxies the visitor's own address counts, under any server; without them nobody's word about it does."""

import pytest
from flask import request

from portal.config import Settings


@pytest.mark.parametrize(("proxies", "seen"), [(0, "127.0.0.1"), (1, "203.0.113.9"), (2, "198.51.100.7")])
def test_a_forwarded_address_counts_exactly_as_far_as_proxies_are_trusted(make_app, proxies, seen):
    app = make_app(trusted_proxies=proxies)
    app.add_url_rule("/who", view_func=lambda: request.remote_addr or "")
    answer = app.test_client().get("/who", headers={"X-Forwarded-For": "192.0.2.1, 198.51.100.7, 203.0.113.9"})
    assert answer.text == seen


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timezone", "Asia/Nowhere"),
        ("timezone", "../etc"),
        ("database_url", "mysql://u:hidden@h/d"),
        ("database_url", "postgresql//x"),
    ],
)
def test_a_setting_that_cannot_work_is_named_at_start_without_its_secrets(field, value):
    with pytest.raises(ValueError, match=field) as error:
        Settings(**{field: value})
    assert "hidden" not in str(error.value)
