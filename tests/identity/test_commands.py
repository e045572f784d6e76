"""`anlan admin` makes the first administrator and opens locks."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from portal.cli import main
from portal.core.db import db
from portal.core.errors import Invalid
from portal.identity import sign_in
from portal.identity.models import Account
from tests.identity.conftest import DISTRICT, STREET

WORDS = "kettle under seven pines"


@pytest.fixture
def anlan(context, database_url, tmp_path, monkeypatch):
    monkeypatch.setenv("ANLAN_DATABASE_URL", database_url)
    monkeypatch.setenv("ANLAN_INSTANCE", str(tmp_path / "instance"))
    monkeypatch.setenv("ANLAN_SECRET_KEY", "test " * 10)
    monkeypatch.setenv("ANLAN_PHONE_KEY", "ab" * 32)
    monkeypatch.setenv("ANLAN_SURFACES", "site")

    def run(*arguments: str, said: str = ""):
        result = CliRunner().invoke(main, ["admin", *arguments], input=said, catch_exceptions=False)
        db.session.rollback()
        return result

    return run


def test_the_first_administrator_is_asked_for_a_password_twice(anlan):
    assert "no account yet" in anlan("list").output
    assert anlan("create", "Chief", "--display", "区应急管理局", said=f"{WORDS}\n{WORDS}\n").exit_code == 0
    account, _row = sign_in.sign_in("chief", WORDS, "192.0.2.1")
    assert [(d.role, d.region_code, d.highest_tier) for d in account.duties] == [
        ("administrator", DISTRICT, "red")
    ]
    assert not account.must_change_password
    listed = anlan("list").output
    assert listed == f"chief\t区应急管理局\tactive\tadministrator:{DISTRICT}:red\n"
    assert WORDS not in listed


def test_a_password_comes_from_the_standard_input(anlan):
    result = anlan("create", "chief", "--region", STREET, "--password-stdin", said=WORDS + "\n")
    assert (result.exit_code, WORDS in result.output) == (0, False)
    assert sign_in.sign_in("chief", WORDS, "192.0.2.1")[0].duties[0].region_code == STREET


def test_a_made_up_password_is_printed_once_and_must_be_changed(anlan):
    result = anlan("create", "chief", "--generate")
    password = re.search(r"shown this once: (\S+)", result.output)[1]
    account, _row = sign_in.sign_in("chief", password, "192.0.2.1")
    assert account.must_change_password


@pytest.mark.parametrize(
    ("arguments", "said", "expected", "code"),
    [
        (["create", "chief", "--password-stdin"], "password1234\n", "password:", 1),
        (["create", "chief", "--password-stdin"], "", "password:", 1),
        (["create", "a b", "--password-stdin"], WORDS + "\n", "username:", 1),
        (
            ["create", "chief", "--region", "110000000000", "--password-stdin"],
            WORDS + "\n",
            "region_code:",
            1,
        ),
        (["create", "chief", "--generate", "--password-stdin"], WORDS + "\n", "exclude each other", 2),
        (["unlock", "nobody"], "", "no account nobody", 1),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(anlan, arguments, said, expected, code):
    result = anlan(*arguments, said=said)
    assert (result.exit_code, expected in result.output) == (code, True)
    assert db.session.query(Account).count() == 0


def test_a_locked_account_is_opened(anlan, make_account):
    make_account("officer", ("drafter", STREET, "red"))
    for _n in range(5):
        with pytest.raises(Invalid):
            sign_in.sign_in("officer", "a guess", "192.0.2.1")
    assert "locked" in anlan("list").output
    assert anlan("unlock", "OFFICER").output == "officer is unlocked.\n"
    sign_in.sign_in("officer", "heron walks slowly upstream", "192.0.2.1")
