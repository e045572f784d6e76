"""The doctor reads the file of lines, and asks carriers that speak SMPP whether they let us in."""

from __future__ import annotations

import pytest
from flask_babel import force_locale

from portal.channels.sms.lines.smpp_probe import probe
from portal.doctor.carriers import binds, lines
from portal.doctor.findings import FAIL, OK, WARN
from tests.sms.smpp.conftest import PASSWORD, options_for
from tests.sms.test_pages import signed_in


def test_a_carrier_is_asked_and_left(smsc):
    assert probe(options_for(smsc)) == ""
    assert probe(options_for(smsc, password="wrong")) == "ESME_RINVPASWD"
    assert probe(options_for(smsc, port=1)) == "connection"
    assert probe(options_for(smsc, tls=True, answer_seconds=0.3)) in ("timeout", "connection", "tls")
    smsc.faults(bind_silent=True)
    assert probe(options_for(smsc, answer_seconds=0.2)) == "timeout"
    assert smsc.counts()["unbinds"] == 1


@pytest.fixture
def findings(app, smsc, tmp_path):
    """What a check finds of a file of lines, in English."""

    def find(check, content: str) -> list[tuple[str, str]]:
        file = tmp_path / "lines.toml"
        file.write_text(content)
        settings = app.extensions["anlan"].model_copy(update={"sms_lines": file})
        with app.app_context(), force_locale("en"):
            return [(finding.level, finding.message) for finding in check(settings)]

    return find


def test_the_doctor_says_what_is_wrong_with_lines(findings, smsc):
    sandbox = '[[line]]\nname = "sand"\nkind = "sandbox"\n'
    whole = (f'[[line]]\nname = "b"\nkind = "smpp"\nhost = "127.0.0.1"\nport = {smsc.port}\nsystem_id = "anlan"\n'
             f'password = "{PASSWORD}"\n')
    ((level, words),) = findings(lines, whole.replace("system_id", "sistem_id"))[:1]
    assert level == FAIL
    assert "line 1 (b): system_id" in words
    assert findings(lines, whole) == [(OK, "Text messages are shared out between lines: b.")]
    assert findings(lines, whole + sandbox) == [
        (WARN, "Sandboxes are among the lines (sand): what goes over them reaches no phone.")]
    assert findings(binds, whole + sandbox) == [(OK, "The carrier of line b lets us bind.")]
    assert findings(binds, whole.replace(PASSWORD, "wrong")) == [
        (FAIL, "The carrier of line b does not let us bind (ESME_RINVPASWD).")]
    assert findings(binds, "nothing") == []


def test_the_desk_says_that_texts_go_to_real_phones_as_soon_as_a_line_is_set(make_app, tmp_path):
    file = tmp_path / "of-lines.toml"
    file.write_text('[[line]]\nname = "second"\nkind = "smpp"\nhost = "h"\nsystem_id = "a"\n')
    client = signed_in(make_app(sms_lines=file))
    page = client.get("/desk/").text
    assert "text messages go through second" in page
    assert "sandbox" not in page
    assert client.get("/desk/sandbox/").status_code == 404
