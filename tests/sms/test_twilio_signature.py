"""Our own reading of Twilio's calls says what the SDK and the standard library say, only quicker."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote_plus, urlencode

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict

from portal.channels.sms import forms, twilio_signature

TOKEN = "test-token"
SDK = RequestValidator(TOKEN)
names = st.text(st.sampled_from("AbSM_é%&=+ 9"), min_size=1, max_size=6)
values = st.text(st.sampled_from("ab+ &=%é安/:\n"), max_size=8)
pairs = st.lists(st.tuples(names, values), max_size=8)
urls = st.builds(
    "{}://{}{}{}{}".format,
    st.sampled_from(["https", "http"]),
    st.sampled_from(["warn.example", "127.0.0.1", "a.b.example"]),
    st.sampled_from(["", ":443", ":80", ":8443"]),
    st.sampled_from(["/hooks/sms/twilio/12/34", "/hooks/sms/twilio/inbound"]),
    st.sampled_from(["", "?x=1", "?a=b&a=c%20d"]),
)


@settings(max_examples=40)
@given(urls, urls, pairs, pairs, st.sampled_from([TOKEN, "another"]))
@example("https://warn.example/x", "https://warn.example:443/x", [("A", "1"), ("A", "1"), ("A", "0")], [], TOKEN)
def test_a_signature_is_good_exactly_where_the_sdk_finds_it_good(
    url: str, told: str, form: list[tuple[str, str]], other: list[tuple[str, str]], token: str
) -> None:
    signature = RequestValidator(token).compute_signature(told, MultiDict(form))
    for pairs_ in (form, other, form[::-1], form + form):
        wanted = SDK.validate(url, MultiDict(pairs_), signature)
        assert twilio_signature.is_signed(TOKEN.encode(), url, pairs_, signature) == wanted


def test_what_is_signed_is_found_so_and_what_is_not_is_not() -> None:
    """Without which the test above could agree on nothing but refusals."""
    form = [("MessageSid", "SM1"), ("To", "+86129"), ("To", "+86128")]
    for told, asked in (("https://w.example/x", "https://w.example:443/x"), ("http://w.example:80/x", "http://w.example/x")):
        signature = SDK.compute_signature(told, MultiDict(form))
        assert SDK.validate(asked, MultiDict(form), signature)
        assert twilio_signature.is_signed(TOKEN.encode(), asked, form, signature)
        assert not twilio_signature.is_signed(TOKEN.encode(), asked + "y", form, signature)


@pytest.mark.parametrize("signature", ["", "AAAA", "签名", "é", "=" * 28, "a" * 10_000])
def test_what_is_no_signature_at_all_is_refused(signature: str) -> None:
    assert not twilio_signature.is_signed(TOKEN.encode(), "https://warn.example/x", [("a", "b")], signature)


@pytest.mark.parametrize("url", ["", "nonsense", "https://warn.example:99999/x", "https://[::1/x", "https://[::1]:8443/x"])
def test_an_address_that_cannot_be_taken_apart_is_signed_as_it_is_or_not_at_all(url: str) -> None:
    right = RequestValidator(TOKEN)
    signature = right.compute_signature(url, {"a": "b"})
    assert twilio_signature.is_signed(TOKEN.encode(), url, [("a", "b")], signature)
    assert not twilio_signature.is_signed(TOKEN.encode(), url, [("a", "c")], signature)


@settings(max_examples=40)
@given(form=pairs, mess=st.lists(st.sampled_from(["&", "=", "a", "%", "%zz", "%41", "%E5", "+", "安"]), max_size=10))
def test_a_form_is_read_as_the_standard_library_reads_it(form: list[tuple[str, str]], mess: list[str]) -> None:
    for text in (urlencode(form), "&".join(f"{quote_plus(n)}={v}" for n, v in form), "".join(mess)):
        read = forms.read(text.encode())
        wanted = parse_qsl(text, keep_blank_values=True)
        assert read.pairs == wanted
        assert dict(read) == MultiDict(wanted).to_dict()


def test_a_form_of_too_many_fields_is_not_read() -> None:
    assert forms.read(b"&".join(b"a=1" for _ in range(forms.MOST_FIELDS + 1))).pairs == []
    assert forms.read(b"\xff=\xfe").pairs == [("\ufffd", "\ufffd")]
