"""Credentials: what is signed is read back, whatever is changed is refused, and the fields are those of Open Badges 3.0."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.config import Settings
from portal.core.keys import base64url, from_base64url
from portal.training.certificates import credential, serial, signing, status_list
from portal.training.certificates.signing import BadSignature
from tests.training.certificates.conftest import AT, AUTHORITY, ISSUED, facts


@pytest.fixture(scope="module")
def build(sample_course):
    return lambda **values: credential.build(facts(serial=serial.new(), **values), sample_course, AUTHORITY, AT, status_list.SIZE)


@pytest.fixture(scope="module")
def signed(key, build):
    return lambda **values: signing.sign(build(**values), key, AT.key(key.thumbprint))


@pytest.fixture(scope="module")
def trusted(key):
    return {key.thumbprint: key.rsa}


@settings(max_examples=25)
@given(name=st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30),
       days=st.one_of(st.none(), st.integers(1, 20_000)), place=st.integers(0, 10 * status_list.SIZE - 1))
def test_what_was_signed_is_read_back(key, sample_course, trusted, name, days, place):
    until = ISSUED + timedelta(days=days) if days else None
    one = facts(serial=serial.new(), name=name, valid_until=until, status_index=place)
    token = signing.sign(credential.build(one, sample_course, AUTHORITY, AT, status_list.SIZE), key, AT.key(key.thumbprint))
    said = credential.read(signing.verify(token, trusted))
    assert (said.serial, said.issued_at, said.valid_until) == (one.serial, ISSUED, until)
    assert (said.title["zh"], said.title["en"]) == ("示例课程", "A sample course")
    assert said.status_list == AT.status(place // status_list.SIZE)
    assert said.status_index == place % status_list.SIZE
    assert said.has_name(name)
    assert not said.has_name(name + "x")


def test_a_change_of_any_byte_is_refused(signed, trusted):
    token = signed()
    signing.verify(token, trusted)
    for at in range(len(token)):
        other = next(sign for sign in "A_."[at % 3:] + "AB" if sign != token[at])
        with pytest.raises(BadSignature):
            signing.verify(token[:at] + other + token[at + 1:], trusted)


@settings(max_examples=40)
@given(st.data())
def test_what_is_cut_repeated_or_inserted_is_refused(signed, trusted, data):
    token = data.draw(st.builds(signed))
    at, end = sorted((data.draw(st.integers(0, len(token))), data.draw(st.integers(0, len(token)))))
    broken = data.draw(st.sampled_from([token[:at] + token[end:], token[:end] + token[at:], token[:at] + "é" + token[at:],
                                        token + "=", token + "\n", " " + token, token[:at] + "+" + token[at:]]))
    if broken == token:
        return
    with pytest.raises(BadSignature):
        signing.verify(broken, trusted)


def test_neither_no_algorithm_nor_a_key_that_is_brought_along_is_believed(build, trusted, key):
    from joserfc.jwk import RSAKey

    mine = RSAKey.generate_key(2048)
    payload = base64url(json.dumps(build()).encode())

    def header(**values):
        return base64url(json.dumps({"kid": AT.key(key.thumbprint), "typ": "JWT"} | values).encode())

    from joserfc import jws

    forged = jws.serialize_compact({"alg": "RS256", "kid": AT.key(key.thumbprint), "jwk": mine.as_dict(private=False)},
                                   json.dumps(build()), mine, algorithms=["RS256"])
    public_as_secret = jws.serialize_compact({"alg": "HS256", "kid": AT.key(key.thumbprint)}, json.dumps(build()),
                                             _oct(key.rsa.as_pem(private=False)), algorithms=["HS256"])
    other = signing.sign(build(), signing.Key(mine.thumbprint(), mine, True), AT.key(mine.thumbprint()))
    for token in (f"{header(alg='none')}.{payload}.", f"{header(alg='none')}.{payload}.AA", forged, public_as_secret, other,
                  f"{header(alg='RS256')}.{payload}.{base64url(bytes(256))}", "a.b.c", "", "." * 3, "eyJ" * 9000):
        with pytest.raises(BadSignature):
            signing.verify(token, trusted)


def _oct(pem):
    from joserfc.jwk import OctKey

    return OctKey.import_key(pem.replace(b"-----", b""))


def test_the_required_fields_of_open_badges_are_there(signed, trusted, key):
    """`required` of the published JSON Schemas of AchievementCredential, AchievementSubject, Achievement, Profile, IdentityObject
    and BitstringStatusListEntry, and the claims of section 8.2.2."""
    token = signed()
    head, said = json.loads(from_base64url(token.split(".")[0])), signing.verify(token, trusted)
    assert head == {"alg": "RS256", "typ": "JWT", "kid": f"https://warn.example/.well-known/keys/{key.thumbprint}.json"}
    assert said["@context"] == ["https://www.w3.org/ns/credentials/v2",
                                "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"]
    assert {"@context", "id", "type", "credentialSubject", "issuer", "validFrom", "validUntil", "name"} <= set(said)
    assert said["type"] == ["VerifiableCredential", "OpenBadgeCredential"]
    subject = said["credentialSubject"]
    assert {"id", "type", "achievement"} <= set(subject)
    assert subject["type"] == ["AchievementSubject"]
    assert {"id", "type", "criteria", "description", "name"} <= set(subject["achievement"])
    assert subject["achievement"]["type"] == ["Achievement"]
    assert subject["achievement"]["criteria"]["narrative"]
    assert {"type", "hashed", "identityHash", "identityType"} <= set(subject["identifier"][0])
    assert {"id", "type", "name", "url"} <= set(said["issuer"])
    assert said["issuer"]["type"] == ["Profile"]
    assert said["credentialStatus"]["type"] == "BitstringStatusListEntry"
    assert {"statusPurpose", "statusListIndex", "statusListCredential"} <= set(said["credentialStatus"])
    assert isinstance(said["credentialStatus"]["statusListIndex"], str)
    assert (said["iss"], said["jti"], said["sub"]) == (said["issuer"]["id"], said["id"], subject["id"])
    assert said["nbf"] == int(ISSUED.timestamp())
    assert said["exp"] == int((ISSUED + timedelta(days=730)).timestamp())


def test_neither_the_name_nor_a_phone_stands_in_a_credential(build):
    assert "王小明" not in json.dumps(build(name="王小明"), ensure_ascii=False)


@pytest.mark.parametrize(("field", "value"), [
    ("iss", "https://evil.example"), ("jti", "https://warn.example/v/23456789ABCD"), ("sub", "urn:uuid:0"), ("nbf", 5),
    ("exp", 5), ("validFrom", "2020-01-01T00:00:00Z"), ("type", ["VerifiableCredential"]), ("credentialStatus", {}),
    ("credentialSubject", None), ("@context", [])])
def test_a_signed_thing_that_contradicts_itself_is_no_certificate(build, field, value):
    with pytest.raises(credential.NotACredential):
        credential.read(build() | {field: value})


def test_a_list_of_revocations_is_no_certificate():
    with pytest.raises(credential.NotACredential):
        credential.read(status_list.build(0, [], AT, ISSUED))


# -- keys ----------------------------------------------------------------------------------------------------
def test_after_a_new_key_what_the_old_one_signed_still_verifies_and_the_old_one_signs_no_more(tmp_path, pem, build):
    settings = Settings(certificate_keys=str(tmp_path), instance=tmp_path)
    (tmp_path / "0001.pem").write_text(pem)
    [old] = signing.known(settings)
    token = signing.sign(build(), old, AT.key(old.thumbprint))
    new = signing.rotate(settings)
    assert new.thumbprint != old.thumbprint
    assert new.private
    assert [one.private for one in signing.known(settings)] == [False, True]
    assert "PRIVATE" not in (tmp_path / "0001.public.pem").read_text()
    assert signing.verify(token, signing.trusted(settings))
    published = signing.jwks(signing.known(settings), AT.key)
    assert {one["kid"] for one in published["keys"]} == {AT.key(old.thumbprint), AT.key(new.thumbprint)}
    assert signing.verify(token, signing.trusted_of(json.loads(json.dumps(published))))
    assert not {"d", "p", "q", "dp", "dq", "qi"} & {name for one in published["keys"] for name in one}


def test_the_first_key_is_made_by_itself_and_only_its_owner_reads_it(tmp_path):
    settings = Settings(instance=tmp_path)
    [made] = signing.known(settings)
    assert made.private
    assert signing.known(settings)[0].thumbprint == made.thumbprint
    [path] = (tmp_path / "certificate_keys").iterdir()
    assert path.stat().st_mode & 0o077 == 0


# -- the list of revocations ---------------------------------------------------------------------------------
@settings(max_examples=15)
@given(st.sets(st.integers(0, status_list.SIZE - 1), max_size=60), st.integers(0, status_list.SIZE - 1))
def test_the_list_says_of_each_place_whether_it_is_revoked(revoked, other):
    encoded = status_list.encode(revoked)
    assert all(status_list.is_set(encoded, place) for place in revoked)
    assert status_list.is_set(encoded, other) == (other in revoked)


def test_the_list_is_as_long_as_the_standard_asks_and_its_first_bit_is_the_leftmost():
    import gzip

    bits = gzip.decompress(from_base64url(status_list.encode({0, 9})[1:]))
    assert len(bits) >= 16 * 1024
    assert (bits[0], bits[1], bits[2]) == (0x80, 0x40, 0)


@pytest.mark.parametrize("encoded", ["", "u", "x" + status_list.encode({1})[1:], "u!!!", "uAAAA"])
def test_what_is_no_list_is_refused(encoded):
    with pytest.raises(ValueError, match=r"."):
        status_list.is_set(encoded, 1)


def test_places_are_drawn_at_random_and_go_on_in_the_next_list():
    assert len({status_list.free_place(lambda _place: False) for _one in range(20)}) == 20
    assert status_list.free_place(lambda place: place < status_list.SIZE) >= status_list.SIZE
    with pytest.raises(RuntimeError):
        status_list.free_place(lambda _place: True)
