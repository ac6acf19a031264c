"""The codec of the ideas' messages: strict in both directions."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demos.ideas.messages import ERROR, Codec, Error, MessageError, error_message
from demos.provider.fields import decimal, integer, listing, optional, record, text
from demos.provider.protocol import LONGEST_TEXT


@dataclass(frozen=True)
class Hello:
    type: ClassVar[str] = "hello"
    version: int
    name: str


@dataclass(frozen=True)
class Values:
    type: ClassVar[str] = "values"
    values: tuple[Decimal, ...]
    note: str | None = None


CODEC: Codec[Hello | Values | Error] = Codec(
    {
        "hello": record(Hello, {"version": integer(), "name": text(10)}),
        "values": record(Values, {"values": listing(decimal(), 3), "note": optional(text(10))}),
        "error": ERROR,
    },
    most=200,
    version=3,
)


@pytest.mark.parametrize(
    "message",
    [Hello(3, "é"), Values((Decimal("0.10"), Decimal(-2)), "x"), Values(()), Error("too-large", "a text")],
)
def test_a_message_is_decoded_as_it_was_encoded(message):
    assert CODEC.decode(CODEC.encode(message)) == message


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("", "malformed"),
        ("null", "malformed"),
        ("[]", "malformed"),
        ("{}", "malformed"),
        ('{"type":1}', "malformed"),
        ('{"type":"hello","type":"hello","version":3,"name":"x"}', "malformed"),
        ('{"type":"hello","version":3,"name":NaN}', "malformed"),
        ('{"type":"hello","version":3}', "malformed"),
        ('{"type":"hello","version":true,"name":"x"}', "malformed"),
        ('{"type":"hello","version":"3","name":"x"}', "malformed"),
        ('{"type":"hello","version":2}', "version"),
        ('{"type":"hello","version":' + "9" * 30 + "}", "version"),
        ('{"type":"values","values":["1","2","3","4"]}', "malformed"),
        ('{"type":"values","values":[0.1]}', "malformed"),
        ('{"type":"values","values":["1e5"]}', "malformed"),
        ('{"type":"other"}', "type"),
        ("[" * 150, "malformed"),
        (" " * 201, "too-large"),
    ],
)
def test_everything_else_is_refused_with_a_code(data, code):
    with pytest.raises(MessageError) as caught:
        CODEC.decode(data)
    assert caught.value.code == code


@pytest.mark.parametrize("message", [Hello(3, ""), Hello(2, "x"), Values((Decimal(10**16),)), Error("Code", "x")])
def test_a_message_that_the_peer_would_refuse_is_not_encoded(message):
    with pytest.raises(MessageError):
        CODEC.encode(message)


@given(st.text())
def test_no_text_raises_anything_but_a_message_error(data):
    with suppress(MessageError):
        CODEC.decode(data)


@given(st.text())
def test_an_error_message_is_valid_whatever_its_text_is(problem):
    codec: Codec[Error] = Codec({"error": ERROR}, most=10 * LONGEST_TEXT)
    assert codec.decode(error_message("malformed", problem)).code == "malformed"
