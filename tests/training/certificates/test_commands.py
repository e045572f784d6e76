"""`anlan credentials verify`: without a network or a database, an exit code for each answer."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from portal import create_app
from portal.cli import main
from portal.config import Settings
from portal.core.audit import AuditEntry
from portal.core.clock import utcnow
from portal.core.db import db
from portal.training.certificates import badge, credential, serial, signing, status_list
from tests.training.certificates.conftest import AT, AUTHORITY, facts


@pytest.fixture
def token(key, sample_course):
    def of(**values):
        made = facts(**({"serial": serial.new(), "valid_until": utcnow().replace(microsecond=0) + timedelta(days=9)} | values))
        return signing.sign(credential.build(made, sample_course, AUTHORITY, AT, status_list.SIZE), key, AT.key(key.thumbprint))
    return of


@pytest.fixture
def run(tmp_path, key_folder, monkeypatch):
    keys = signing.known(Settings(certificate_keys=str(key_folder)))
    (tmp_path / "jwks.json").write_text(json.dumps(signing.jwks(keys, AT.key)))
    monkeypatch.setenv("ANLAN_INSTANCE", str(tmp_path / "nowhere"))

    def verify(body, *more):
        (tmp_path / "file").write_text(body)
        named = [str(tmp_path / "file"), "--jwks", str(tmp_path / "jwks.json")]
        return CliRunner().invoke(main, ["credentials", "verify", *named, *more])

    yield verify
    assert not (tmp_path / "nowhere").exists()


def test_what_is_genuine_is_told_with_what_it_says(run, token):
    for body in (token(), badge.svg("示例课程", "A sample course", "7K3M92XQHTW4", None, token())):
        answer = run(body, "--name", "王小明")
        assert answer.exit_code == 0, answer.output
        for told in ("示例课程", "issued", "valid until", "genuine"):
            assert told in answer.output
    assert run(token(), "--name", "李雷").exit_code == 1


def test_each_other_answer_has_its_code(run, token):
    genuine = token()
    assert run(genuine[:-5] + ("AAAAA" if genuine[-5:] != "AAAAA" else "BBBBB")).exit_code == 1
    assert run("hello").exit_code == 2
    assert run(token(valid_until=utcnow().replace(microsecond=0) - timedelta(days=1))).exit_code == 4


def test_a_new_key_is_made_told_and_noted_and_the_old_one_still_verifies(tmp_path, sqlite_template, pem, token, monkeypatch):
    instance = tmp_path / "instance"
    (instance / "certificate_keys").mkdir(parents=True)
    (instance / "certificate_keys" / "0001.pem").write_text(pem)
    shutil.copy(sqlite_template, instance / "anlan.db")
    for name, value in (("INSTANCE", str(instance)), ("SECRET_KEY", "test " * 10), ("PUBLIC_URL", "https://warn.example")):
        monkeypatch.setenv(f"ANLAN_{name}", value)
    (tmp_path / "file").write_text(token())
    made = CliRunner().invoke(main, ["credentials", "rotate"])
    assert made.exit_code == 0, made.output
    listed = json.loads(CliRunner().invoke(main, ["credentials", "keys"]).output)["keys"]
    assert len(listed) == 2
    assert listed[-1]["kid"].endswith(f"/{made.output.split()[0]}.json")
    assert "d" not in listed[0].keys() | listed[1].keys()
    assert CliRunner().invoke(main, ["credentials", "verify", str(tmp_path / "file")]).exit_code == 0
    with create_app(Settings(instance=instance, secret_key="test " * 10)).app_context():
        assert [entry.action for entry in db.session.execute(select(AuditEntry)).scalars()] == ["certificate.keys"]
        db.engine.dispose()


def test_a_list_of_revocations_in_hand_counts(run, token, key, tmp_path):
    def listed(places, number=0, age=0):
        payload = status_list.build(number, places, AT, utcnow() - timedelta(hours=age))
        (tmp_path / "list").write_text(signing.sign(payload, key, AT.key(key.thumbprint)))
        return ("--status", str(tmp_path / "list"))

    assert run(token(status_index=77), *listed([77])).exit_code == 3
    assert run(token(status_index=77), *listed([78])).exit_code == 0
    answer = run(token(status_index=77), *listed([77], number=1))
    assert answer.exit_code == 1
    assert "it is not the list" in answer.output
    assert run(token(), "--status", str(tmp_path / "jwks.json")).exit_code == 1
    assert run(token(status_index=77), *listed([78], age=23)).exit_code == 0
    old = run(token(status_index=77), *listed([78], age=25))
    assert old.exit_code == 1, "an old list does not say that nothing happened since"
    assert "anew" in old.output
    assert run(token(status_index=77), *listed([77], age=25)).exit_code == 3


def test_who_only_verifies_makes_no_key(token, tmp_path, monkeypatch):
    monkeypatch.setenv("ANLAN_INSTANCE", str(tmp_path / "nowhere"))
    (tmp_path / "file").write_text(token())
    answer = CliRunner().invoke(main, ["credentials", "verify", str(tmp_path / "file")])
    assert answer.exit_code == 1
    assert "--jwks" in answer.output
    assert not (tmp_path / "nowhere").exists()
