"""Secrets and numbers stay where they belong: in no error, no log, no other user's reach."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from portal import create_app
from portal.config import ROOT, Settings
from portal.core import keys

SECRETS = {
    "ANLAN_SECRET_KEY": "geheim-" * 6,
    "ANLAN_TWILIO_AUTH_TOKEN": "geheim-token",
    "ANLAN_DATABASE_URL": "postgresql+psycopg://anlan:geheim@db.example/anlan",
    "ANLAN_MQTT_URL": "mqtts://anlan:geheim@broker.example",
}


def test_settings_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.database_url == SECRETS["ANLAN_DATABASE_URL"]
    assert "geheim" not in repr(settings) + str(settings)


@pytest.mark.parametrize(
    "wrong",
    [{"ANLAN_SMS_PROVIDER": "twilio"}, {"ANLAN_SECRET_KEY": "geheim"}, {"ANLAN_PHONE_KEY": "geheim"},
     {"ANLAN_SPEAKER_KEY": "geheim"}],
)
def test_a_configuration_that_cannot_be_used_is_refused_without_its_secrets(
    monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str]
) -> None:
    for name, value in (SECRETS | wrong).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as refusal:
        Settings()
    assert "geheim" not in str(refusal.value) + repr(refusal.value)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "warn.example", "https://warn.example/a?b", "https://user:pw@warn.example"])
def test_the_public_address_is_an_address(url: str) -> None:
    with pytest.raises(ValidationError, match=r"https://warn\.example"):
        Settings(public_url=url)


def test_only_the_owner_reads_keys_and_database(tmp_path: Path) -> None:
    settings = Settings(instance=tmp_path / "instance")
    with create_app(settings).app_context():
        from portal.core.db import db

        with db.engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE sign (id INTEGER)")
            keys.speaker_key(settings)
            files = [f for f in settings.instance.iterdir() if f.is_file()]
            assert {"anlan.db", "anlan.db-wal", "secret_key", "phone_key", "speaker_key"} <= {f.name for f in files}
            assert not [f.name for f in files if stat.S_IMODE(f.stat().st_mode) & 0o077]


def test_processes_that_start_together_have_one_secret(tmp_path: Path) -> None:
    ask = ("import sys; from pathlib import Path; from portal.core import keys; sys.stdin.read(1);"
           " print(keys._kept(Path(sys.argv[1]) / 'key'))")
    several = [
        subprocess.Popen([sys.executable, "-c", ask, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                         cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
        for _ in range(4)
    ]
    said = {process.communicate("!", timeout=60)[0].strip() for process in several}
    assert len(said) == 1
    assert len(said.pop()) == 64
    assert [f.name for f in tmp_path.iterdir()] == ["key"]


def test_a_key_that_got_lost_half_way_is_not_taken_for_a_key(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text("")
    with pytest.raises(ValueError, match="is empty"):
        keys.secret_key(Settings(instance=tmp_path))
