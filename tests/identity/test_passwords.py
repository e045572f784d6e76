"""Passwords that would be guessed first are refused; those that we make up are not."""

from __future__ import annotations

from portal.identity import passwords

BAD = [
    "",
    "short",
    "elevenchars",
    "x" * 129,
    "password1234",
    "Password-2026",
    "P a s s w o r d 1 2 3",
    "123456789012",
    "aaaaaaaaaaaa",
    "abcabcabcabc",
    "qwertyuiop12",
    "1qaz2wsx3edc",
    "anlan-demo-1",
    "pingshan2026!",
    "duty.room2026",
    "Duty.Room-99",
    "坪山街道值班室12345",
    "ａｄｍｉｎ１２３４５６７",
    "abcdefghijkl",
    "woaini520520!",
]
GOOD = [
    "heron walks slowly upstream",
    "三号水库旁的老榕树下有长椅",
    "g7!Qz-mk4#Lw",
    "the duty.room has nine windows and a cat",
]


def test_a_password_that_would_be_guessed_is_refused_and_a_good_one_taken(context):
    refused = [w for w in BAD + GOOD if passwords.weaknesses(w, "duty.room", "坪山街道值班室")]
    assert refused == BAD


def test_what_is_made_up_is_long_and_never_twice_the_same(context):
    made = {passwords.generate() for _n in range(200)}
    assert len(made) == 200
    assert all(len(word) == 19 and passwords.weaknesses(word) == [] for word in made)


def test_the_same_characters_from_another_keyboard_match(context):
    stored = passwords.hashed("ｈｅｒｏｎ walks é")
    assert passwords.matches("heron walks e\u0301", stored)
    assert not passwords.matches("Heron walks e\u0301", stored)
    assert not passwords.matches("heron walks e\u0301", None)
