"""Hashes of passwords and tokens."""

from __future__ import annotations

import hmac

import pytest
from login_kit import PASSWORD, WRONG, count_hashes

from demos.provider import passwords
from demos.provider.passwords import (
    LONGEST_PASSWORD,
    MAX_TOKENS,
    PARAMETERS,
    Parameters,
    dummy_password,
    encode_password,
    matches,
    matching_token,
    new_password,
    new_token,
    parse_password,
    password_problem,
    token_digest,
)

CHEAP = Parameters(4, 1, 1)


def test_a_password_matches_its_stored_text_and_no_other_does():
    stored = parse_password(new_password(PASSWORD))
    assert stored.parameters == PARAMETERS
    assert matches(PASSWORD.encode(), stored)
    assert not matches(WRONG.encode(), stored)


def test_the_stored_text_contains_the_parameters_and_a_new_salt_each_time():
    first, second = new_password(PASSWORD, CHEAP), new_password(PASSWORD, CHEAP)
    assert first.startswith("scrypt$ln=4,r=1,p=1$")
    assert first != second
    assert PASSWORD not in first
    assert matches(PASSWORD.encode(), parse_password(first))
    assert parse_password(first).text() == first


def test_a_known_hash_of_scrypt_is_computed():
    # The second test vector of RFC 7914 with 32 of its 64 bytes.
    expected = "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
    assert passwords.hash_password(b"password", b"NaCl", Parameters(10, 8, 16)).hex() == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        new_password(PASSWORD, CHEAP) + " ",
        new_password(PASSWORD, CHEAP)[:-2],
        new_password(PASSWORD, CHEAP).replace("ln=4", "ln=40"),
        new_password(PASSWORD, CHEAP).replace("ln=4", "ln=0"),
        new_password(PASSWORD, CHEAP).replace("p=1", "p=99"),
    ],
    ids=["empty", "plain text", "more", "less", "too much memory", "no rounds", "too much time"],
)
def test_a_damaged_stored_password_is_refused_before_it_costs_anything(text, monkeypatch):
    computed = count_hashes(monkeypatch)
    with pytest.raises(ValueError, match="stored password"):
        parse_password(text)
    assert computed == []


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("ninechars", "too short: it has 9 characters, at least 10"),
        ("x", "too short: it has 1 character, at least 10"),
        ("", "too short"),
        ("x" * (LONGEST_PASSWORD + 1), f"too long: at most {LONGEST_PASSWORD} bytes"),
        ("é" * (LONGEST_PASSWORD // 2 + 1), "too long"),
        ("a password\nin two lines", "control character"),
        ("half a pair: \ud800", "too long"),
    ],
)
def test_a_new_password_has_limits(password, problem):
    assert problem in password_problem(password) or "\ud800" in password
    with pytest.raises(ValueError, match="the password"):
        new_password(password, CHEAP)


@pytest.mark.parametrize("password", ["ten chars.", "x" * LONGEST_PASSWORD, "пароль на русском"])
def test_a_password_within_the_limits_is_accepted(password):
    assert password_problem(password) == ""
    assert matches(encode_password(password), parse_password(new_password(password, CHEAP)))


def test_two_spellings_of_one_letter_are_the_same_password():
    composed, decomposed = "caf\u00e9 au lait", "cafe\u0301 au lait"
    assert matches(encode_password(decomposed), parse_password(new_password(composed, CHEAP)))


def test_a_password_that_cannot_be_right_costs_one_hash_and_never_matches(monkeypatch):
    computed = count_hashes(monkeypatch)
    stored = parse_password(new_password(PASSWORD))
    computed.clear()
    assert encode_password("x" * 1_000_000) is None
    assert not matches(None, stored)
    assert not matches(None, dummy_password(PARAMETERS))
    assert computed == [PARAMETERS, PARAMETERS]


def test_hashes_are_compared_in_constant_time(monkeypatch):
    compared = []

    def compare(left: bytes, right: bytes) -> bool:
        compared.append((len(left), len(right)))
        return left == right

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert matches(PASSWORD.encode(), parse_password(new_password(PASSWORD, CHEAP)))
    assert compared == [(32, 32)]
    for digests in ([], [token_digest("a")], [token_digest("a")] * MAX_TOKENS):
        compared.clear()
        matching_token("b", digests)
        assert compared == [(32, 32)] * MAX_TOKENS


def test_a_token_is_found_by_its_digest():
    tokens = [new_token() for _ in range(MAX_TOKENS)]
    digests = [token_digest(token) for token in tokens]
    assert [matching_token(token, digests) for token in tokens] == list(range(MAX_TOKENS))
    assert len(set(tokens)) == MAX_TOKENS
    assert matching_token(new_token(), digests) is None


@pytest.mark.parametrize("token", ["", "x" * 1_000_000, "é", "\ud800", new_token() + "x" * 64])
def test_a_text_that_is_no_token_matches_nothing(token):
    assert matching_token(token, [token_digest(new_token())]) is None
