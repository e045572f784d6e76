"""The bind: refused, lost, silent, encrypted, left."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from portal.channels.sms.lines.line import CLOSED, OPEN
from portal.channels.sms.provider import ACCEPTED, RETRY
from tests.sms.smpp.conftest import Driver, letter, numbers, options_for, smsc_process
from tests.waiting import until


@pytest.mark.parametrize(("options", "code"), [
    ({"password": "wrong"}, "ESME_RINVPASWD"), ({"system_id": "nobody"}, "ESME_RINVSYSID")])
def test_a_refused_bind_is_shown_and_tried_again(drive, smsc, options, code):
    driver = drive(**options)
    driver.until(lambda: smsc.counts().get("binds_refused", 0) >= 2, "it was tried twice")
    assert driver.line.room() == 0
    state = driver.line.state()
    assert (state.circuit, state.last_error) == (OPEN, code)


def test_a_bind_is_made_again_when_the_carrier_is_back(drive, smsc):
    smsc.faults(bind=0x0D)
    driver = drive()
    driver.until(lambda: driver.line.state().last_error == "ESME_RBINDFAIL", "the bind is refused")
    smsc.faults(bind=0)
    assert {t.status for t in driver.bound().send(letter(), numbers(3))} == {ACCEPTED}
    assert driver.line.state().circuit == CLOSED


def test_a_carrier_that_is_not_there_or_says_nothing_takes_no_message(drive, smsc):
    absent = drive(port=1)
    absent.until(lambda: absent.line.state().last_error == "connection", "the connection is refused")
    assert absent.line.room() == 0
    nowhere = drive(host="a" * 70 + ".invalid")  # no name can be that long
    nowhere.until(lambda: nowhere.line._failures >= 2, "it is tried again and again")
    assert nowhere.line.state().circuit == OPEN
    smsc.faults(bind_silent=True)
    silent = drive(answer_seconds=0.1)
    silent.until(lambda: silent.line.state().last_error == "timeout", "the bind is given up")
    assert silent.line.room() == 0


def test_a_lost_connection_leaves_unsure_what_was_in_flight_and_sends_the_rest(drive, smsc):
    driver = drive(max_in_flight=10).bound()
    smsc.faults(delay_ms=20, drop_after=15)
    told = driver.send(letter(), numbers(60))
    lost = [t for t in told if t.status != ACCEPTED]
    assert 1 <= len(lost) <= 10
    assert {(t.status, t.unsure, t.code) for t in lost} == {(RETRY, True, "connection")}
    assert len(smsc.taken()) <= 60  # nothing was sent twice by the line itself
    assert smsc.counts()["binds"] == 2


@pytest.mark.parametrize("how", ["drop", "unbind"])
def test_a_bind_that_the_carrier_ends_is_made_again(drive, smsc, how):
    driver = drive().bound()
    smsc.do(how)
    driver.until(lambda: smsc.counts().get("binds") == 2, "it is bound again")
    assert {t.status for t in driver.bound().send(letter(), numbers(3))} == {ACCEPTED}


def test_a_quiet_link_is_asked_and_one_that_does_not_answer_is_left(drive, smsc):
    driver = drive(enquire_seconds=0.05, answer_seconds=2).bound()
    driver.until(lambda: smsc.counts().get("enquiries", 0) >= 3, "the link is asked again and again")
    assert smsc.counts()["binds"] == 1
    smsc.faults(enquire=False)
    driver.until(lambda: smsc.counts()["binds"] >= 2, "the dead link was left and a new one made")


def test_the_carrier_is_answered_when_it_asks(drive, smsc):
    driver = drive().bound()
    smsc.do("enquire")
    driver.until(lambda: smsc.counts().get("enquire_answers"), "the enquiry is answered")


def test_leaving_waits_for_answers_and_says_good_bye(drive, smsc):
    driver = drive().bound()
    smsc.faults(delay_ms=100)
    driver.hand_over(letter(), numbers(10))
    driver.close()
    assert [t.status for t in driver.answers] == [ACCEPTED] * 10
    assert smsc.counts()["unbinds"] == 1


def test_leaving_has_an_end_and_what_was_not_answered_is_unsure(drive, smsc):
    driver = drive().bound()
    smsc.faults(silent=True)
    driver.hand_over(letter(), numbers(10))
    driver.close(0.05)
    assert {(t.status, t.unsure) for t in driver.answers} == {(RETRY, True)}
    assert len(driver.answers) == 10


def test_a_line_that_never_was_bound_can_be_left(drive):
    drive(port=1).close()


def test_nothing_that_sends_receipts_is_bound_to_hear_them_where_none_are_wanted(drive, smsc):
    assert {t.status for t in drive(receipts=False).bound().send(letter(), numbers(2))} == {ACCEPTED}
    counts = smsc.counts()
    assert counts["bind_transmitter"] == 1
    assert "delivers" not in counts
    assert [m["registered"] for m in smsc.taken()] == [0, 0]


def _certificate(folder: Path) -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "carrier")])
    now = dt.datetime.now(dt.UTC)
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
            .not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=2))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256()))
    (folder / "key.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return str(folder / "key.pem"), str(folder / "cert.pem")


def test_tls_is_spoken_with_the_carrier_whose_certificate_is_believed_and_with_no_other(tmp_path):
    key, certificate = _certificate(tmp_path)
    with smsc_process("--key", key, "--cert", certificate) as smsc:
        trusting = Driver(options_for(smsc, tls=True, tls_ca=certificate))
        wary = Driver(options_for(smsc, tls=True))
        try:
            assert {t.status for t in trusting.bound().send(letter(), numbers(5))} == {ACCEPTED}
            wary.until(lambda: wary.line.state().last_error == "tls", "the certificate is not believed")
            assert wary.line.room() == 0
        finally:
            trusting.close()
            wary.close()
        until(lambda: smsc.counts().get("unbinds") == 1, "the good-bye has come")
        assert smsc.counts()["binds"] == 1
