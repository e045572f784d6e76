"""The doctor names what is missing, how to mend it, and is content with a whole configuration."""

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask_babel import force_locale

from portal import doctor
from portal.cli import main
from portal.config import Settings
from portal.core import migrate
from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.doctor import carriers, choices, data, evacuation, machine, machines, outside, pages, training
from portal.doctor.findings import FAIL, NOTE, OK, WARN
from portal.identity.models import Account, Duty
from portal.regions.models import Region
from tests.postgres import free_port


@pytest.fixture
def settings(tmp_path):
    """Settings without a database of their own, for checks that look at nothing else."""
    def make(**values) -> Settings:
        return Settings(**({"instance": tmp_path / "instance", "secret_key": "s" * 40, "phone_key": "ab" * 32,
                            "speaker_key": "cd" * 32, "push_key": "ef" * 31 + "01"} | values))
    return make


@pytest.fixture
def speak(tmp_path):
    """The findings of a check, in English."""
    from portal import create_app

    app = create_app(Settings(instance=tmp_path / "speak"))

    def run(check, settings):
        with app.app_context(), force_locale("en"):
            return [(f.level, f.message) for f in check(settings)]
    return run


def _one(findings):
    assert len(findings) == 1, findings
    return findings[0]


def _twilio(**values):
    return {"sms_provider": "twilio", "twilio_account_sid": "AC" + "0" * 32, "twilio_auth_token": "t" * 32,
            "twilio_from": "+15005550006", "twilio_timeout": 10} | values


def test_a_directory_that_cannot_be_written_is_named(settings, speak, tmp_path):
    (tmp_path / "file").write_text("")
    level, message = _one(speak(machine.instance_directory, settings(instance=tmp_path / "file" / "below")))
    assert (level, "cannot be written" in message) == (FAIL, True)
    assert _one(speak(machine.instance_directory, settings()))[0] == OK


@pytest.mark.parametrize(("free", "level"), [(10 * 1024**3, OK), (1024**3, WARN), (1024**2, FAIL)])
def test_a_full_disk_is_named_before_it_is_full(settings, speak, monkeypatch, free, level):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(free, 0, free))
    assert _one(speak(machine.instance_directory, settings()))[0] == level


def test_a_database_that_does_not_answer_is_named_without_its_password(tmp_path, speak):
    from portal import create_app

    url = f"postgresql+psycopg://warner:hidden-word@127.0.0.1:{free_port()}/none"
    app = create_app(Settings(instance=tmp_path, database_url=url))
    with app.app_context(), force_locale("en"):
        finding = next(data.database(app.extensions["anlan"]))
    assert finding.level == FAIL
    assert "cannot be reached" in finding.message
    assert "hidden-word" not in finding.message


def test_a_database_that_answers_is_fine(context):
    with force_locale("en"):
        assert [f.level for f in data.database(context.extensions["anlan"])] == [OK]


def test_waiting_migrations_are_named(context, monkeypatch):
    monkeypatch.setattr(migrate, "head", lambda versions=None: "9999")
    with force_locale("en"):
        finding = next(data.migrations(context.extensions["anlan"]))
    assert (finding.level, finding.mend) == (FAIL, "Back up the database, then run: anlan db upgrade")


def test_content_that_cannot_be_used_is_named_file_by_file(settings, speak, tmp_path):
    bad = tmp_path / "content" / "hazards"
    bad.mkdir(parents=True)
    (bad / "11B03-rainstorm.yaml").write_text("code: [")
    assert all(level == FAIL for level, _message in speak(data.content, settings(content=bad.parent)))
    assert _one(speak(data.content, settings()))[0] == OK


def test_a_district_without_communities_is_named(context):
    settings = context.extensions["anlan"]
    with force_locale("en"):
        assert next(data.regions(settings)).level == FAIL


def test_a_district_with_communities_is_fine(context):
    with transaction() as session:
        for code, parent, level in (("440310000000", None, "district"),
                                    ("440310001000", "440310000000", "street"),
                                    ("440310001001", "440310001000", "community")):
            session.add(Region(code=code, parent_code=parent, level=level, name_zh="甲", name_en="A"))
    with force_locale("en"):
        assert next(data.regions(context.extensions["anlan"])).level == OK


def test_an_administrator_is_asked_for_until_one_can_act(context):
    settings = context.extensions["anlan"]
    with transaction() as session:
        duty = Duty(role="administrator", region_code="440310000000", highest_tier="red")
        account = Account(username="boss", display_name="B", fs_uniquifier="u", created_at=utcnow(),
                          active=False, duties=[duty])
        session.add(account)
    with force_locale("en"):
        assert next(data.administrator(settings)).level == FAIL
        with transaction() as session:
            session.get(Account, account.id).active = True
        assert next(data.administrator(settings)).level == OK


@pytest.mark.parametrize(("values", "level"), [
    ({}, OK), ({"phone_key": ""}, WARN),
    ({"secret_key": "", "demo": True}, OK)])
def test_keys_are_asked_for_outside_a_demonstration(settings, speak, values, level):
    assert _one(speak(choices.secrets, settings(**values)))[0] == level


@pytest.mark.parametrize(("values", "levels"), [
    ({}, []), (_twilio(), [FAIL]), (_twilio(public_url="http://warn.example"), [FAIL]),
    (_twilio(public_url="https://warn.example"), [OK])])
def test_a_carrier_must_be_able_to_report_back_safely(settings, speak, values, levels):
    assert [level for level, _message in speak(choices.public_address, settings(**values))] == levels


@pytest.mark.parametrize(("values", "levels"), [
    ({"host": "0.0.0.0"}, []), ({"demo": True}, [OK]), ({"demo": True, "host": "0.0.0.0"}, [WARN]),
    ({"demo": True, "host": "::1", "public_url": "http://localhost:8000"}, [OK]),
    ({"demo": True, "public_url": "https://warn.example"}, [WARN])])
def test_a_demonstration_is_not_for_the_world(settings, speak, values, levels):
    assert [level for level, _message in speak(choices.exposure, settings(**values))] == levels


def test_one_person_alone_is_worth_a_thought(settings, speak):
    assert _one(speak(choices.two_people, settings(two_people_tiers="")))[0] == WARN
    assert _one(speak(choices.two_people, settings()))[0] == OK


def test_a_clock_that_cannot_be_right_is_named(settings, speak, monkeypatch):
    assert _one(speak(machine.clock, settings()))[0] == OK
    monkeypatch.setattr(machine, "utcnow", lambda: datetime(1970, 1, 1, tzinfo=UTC))
    assert _one(speak(machine.clock, settings()))[0] == FAIL


def test_a_database_whose_clock_is_off_is_named(context, monkeypatch):
    if context.extensions["anlan"].database_url.startswith("sqlite"):
        pytest.skip("SQLite has no clock of its own")
    monkeypatch.setattr(data, "utcnow", lambda: utcnow() + timedelta(minutes=2))
    with force_locale("en"):
        assert [f.level for f in data.database(context.extensions["anlan"])] == [OK, WARN]


def test_a_missing_voice_is_a_note(settings, speak, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert _one(speak(machine.speech, settings()))[0] == NOTE


def test_missing_front_end_files_are_named(settings, speak, monkeypatch, tmp_path):
    from portal import web

    monkeypatch.setattr(web, "STATIC", tmp_path)
    level, message = _one(speak(machine.static_files, settings()))
    assert (level, "htmx/htmx.min.js" in message) == (FAIL, True)


def test_catalogues_that_are_not_compiled_are_counted(settings, speak, monkeypatch, tmp_path):
    folder = tmp_path / "translations" / "zh" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "messages.po").write_text("")
    monkeypatch.setattr(machine.i18n, "catalogue_dirs", lambda: [tmp_path / "translations"])
    assert _one(speak(machine.catalogues, settings()))[0] == FAIL
    (folder / "messages.mo").write_bytes(b"")
    assert _one(speak(machine.catalogues, settings()))[0] == OK


def test_no_broker_is_a_note_and_a_dead_one_a_failure(settings, speak):
    assert _one(speak(outside.broker, settings()))[0] == NOTE
    assert _one(speak(outside.broker, settings(demo=True)))[0] == OK
    dead = settings(mqtt_url=f"mqtt://u:hidden-word@127.0.0.1:{free_port()}")
    level, message = _one(speak(outside.broker, dead))
    assert (level, "hidden-word" in message) == (FAIL, False)
    assert _one(speak(outside.broker, settings(mqtt_url="http://x")))[0] == FAIL


def test_a_broker_is_asked_with_the_password_that_was_given(settings, speak, tmp_path):
    from tests.browser.waiting import until_listening

    port = free_port()
    binary = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "anlan", "right"], check=True, timeout=30)
    passwords.chmod(0o644)
    Path(tmp_path / "conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous false\n"
                                       f"password_file {passwords}\nuser root\n")
    process = subprocess.Popen([binary, "-c", tmp_path / "conf"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        until_listening(port, process)
        right = speak(outside.broker, settings(mqtt_url=f"mqtt://anlan:right@127.0.0.1:{port}"))
        wrong = speak(outside.broker, settings(mqtt_url=f"mqtt://anlan:wrong@127.0.0.1:{port}"))
    finally:
        process.terminate()
        process.wait(10)
    assert (_one(right)[0], _one(wrong)[0]) == (OK, FAIL)


def test_a_carrier_that_cannot_be_reached_is_named(settings, speak):
    values = _twilio(twilio_api_url=f"http://127.0.0.1:{free_port()}")
    level, message = _one(speak(outside.carrier, settings(**values)))
    assert (level, "cannot be reached" in message) == (FAIL, True)
    assert speak(outside.carrier, settings()) == []


@pytest.mark.parametrize(("answer", "level"), [
    ((200, '{"sid": "AC0", "status": "active"}'), OK), ((200, '{"sid": "AC0", "status": "suspended"}'), FAIL),
    ((401, '{"code": 20003}'), FAIL), ((200, "<html>"), FAIL)])
def test_the_carrier_is_asked_whether_it_knows_us(settings, speak, carrier_that_answers, answer, level):
    url = carrier_that_answers(*answer)
    assert _one(speak(outside.carrier, settings(**_twilio(twilio_api_url=url))))[0] == level


def test_the_account_of_each_line_is_asked_about_once(settings, speak, carrier_that_answers, tmp_path):
    url = carrier_that_answers(401, '{"code": 20003}')
    line = ('[[line]]\nname = "%s"\nkind = "twilio"\naccount_sid = "%s"\nauth_token = "t"\n'
            'sender = "+15005550006"\napi_url = "%s"\n')
    file = tmp_path / "lines.toml"
    file.write_text("".join(line % (name, sid, url) for name, sid in (("a", "AC1"), ("b", "AC1"), ("c", "AC2"))))
    found = list(speak(outside.carrier, settings(sms_lines=file)))
    assert [finding[0] for finding in found] == [FAIL, FAIL]
    assert [finding[1].partition(":")[0] for finding in found] == ["Line a", "Line c"]


def test_the_command_speaks_the_terminals_language_and_fails_where_something_is_amiss(tmp_path, monkeypatch):
    monkeypatch.setenv("ANLAN_INSTANCE", str(tmp_path))
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    chinese = CliRunner().invoke(main, ["doctor"])
    assert (chinese.exit_code, "执行：anlan db upgrade" in chinese.output) == (1, True)
    monkeypatch.setenv("LANG", "C.UTF-8")
    english = CliRunner().invoke(main, ["doctor"])
    assert (english.exit_code, "then run: anlan db upgrade" in english.output) == (1, True)


def test_every_check_is_asked():
    modules = (machine, machines, data, carriers, choices, outside, evacuation, pages, training)
    every = {f for module in modules for name, f in vars(module).items()
             if callable(f) and getattr(f, "__module__", "") == module.__name__ and not name.startswith("_")}
    assert set(doctor.CHECKS) | set(doctor.ONLINE) == every
