"""The template pair's messages, byte for byte as the article's programs were seen to send them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from tpl_kit import OriginalServer, file_of, message, small_template, text_of
from work_kit import CountedBytes, Work

from demos.template.protocol import (
    IncompleteError,
    LayoutError,
    check_template,
    decode,
    encode,
    listening_port_problem,
    port_problem,
    prepare,
    symbol_problem,
)
from demos.terminal import symbols


def test_a_message_is_ten_bytes_of_symbol_ten_of_period_and_the_template_with_two_zeros():
    template = prepare(file_of("<chart>\r\n</chart>\r\n"), "TplServer.ex5")
    symbol, period = bytes.fromhex("45 55 52 55 53 44 00 00 00 00"), bytes.fromhex("31 36 33 38 35 00 00 00 00 00")
    text = bytes.fromhex("ff fe 3c 00 63 00 68 00 61 00 72 00 74 00 3e 00 0d 00 0a 00")
    text += bytes.fromhex("3c 00 2f 00 63 00 68 00 61 00 72 00 74 00 3e 00 0d 00 0a 00 00 00")
    assert encode("EURUSD", 16385, template, 1252) == symbol + period + text


@pytest.mark.parametrize(
    ("period", "digits"),
    [
        (1, b"1"),
        (5, b"5"),
        (15, b"15"),
        (30, b"30"),
        (16388, b"16388"),
        (16408, b"16408"),
        (32769, b"32769"),
        (49153, b"49153"),
    ],
)
def test_a_period_is_the_number_of_its_enumeration_in_digits(period, digits):
    assert encode("EURUSD", period, b"", 1252)[10:] == digits.ljust(10, b"\0")


def test_each_mention_of_the_program_becomes_one_blank():
    file = file_of("<chart>\r\npath=Experts\\TplServer.ex5\r\ntext=TplServer.ex5 TplServer.ex4\r\n</chart>\r\n")
    assert (
        text_of(prepare(file, "TplServer.ex5"))
        == "<chart>\r\npath=Experts\\ \r\ntext=  TplServer.ex4\r\n</chart>\r\n\0"
    )


def test_the_message_is_the_original_server_s_first_one_but_for_the_padding():
    file = file_of("<chart>\r\npath=Experts\\TplServer.ex5\r\ncomment=\u00e9\u0416\u6f22\r\n</chart>\r\n")
    original = OriginalServer()
    original.chart_event(file)
    ours = encode("EURUSD", 16385, prepare(file, "TplServer.ex5"), 1252)
    assert original.message[:20] == b"EURUSD\0\xcc\xcc\xcc16385\0\xcc\xcc\xcc\xcc"
    assert ours[20:] == original.message[20:]
    assert decode(original.message, 1252) == decode(ours, 1252) == ("EURUSD", 16385, ours[20:])


def test_the_nuls_of_the_file_are_not_sent():
    assert prepare(small_template() + b"\0\0", "x.ex5") == small_template() + b"\0\0"
    file = file_of("<chart>\r\nname=a\0b\r\n</chart>\0")
    assert text_of(prepare(file, "x.ex5")) == "<chart>\r\nname=ab\r\n</chart>\0"


@pytest.mark.parametrize(
    "text",
    [
        "<chart>\r\n<inp\0uts>\r\n</chart>\r\n",
        "<chart>\r\n<win\0dow>\r\n</chart>\r\n",
        "<chart>\r\n<inputs>\r\n<\0/inputs>\r\n</inputs>\r\n</chart>\r\n",
        "<chart>\r\n<\0/chart>\r\n</chart>\r\n",
        "<chart>\r\n<\0/window>\r\n</chart>\r\n",
        "<chart>\r\nx.ex5<window>\r\n</chart>\r\n",
        "<chart>\r\n<window>x\0.ex5\r\n</chart>\r\n",
        "<chart>\r\n<inputs>\r\n</inputs>x.ex5\r\n</inputs>\r\n</chart>\r\n",
    ],
)
@pytest.mark.parametrize("codec", ["utf-16", "cp1252"])
def test_a_file_that_is_a_template_only_with_its_nuls_or_the_programs_name_is_not_sent(text, codec):
    file = file_of(text) if codec == "utf-16" else text.encode(codec)
    check_template(file)
    with pytest.raises(LayoutError, match="not a template: "):
        prepare(file, "x.ex5")


def test_a_file_that_is_not_a_template_is_not_sent():
    with pytest.raises(LayoutError, match=r"not a template: the template ends inside <chart>"):
        prepare(b"<chart>", "x.ex5")
    with pytest.raises(LayoutError, match=r"not a template: line 1: expected <chart>, found \u2030PNG"):
        prepare(b"\x89PNG\r\n", "x.ex5")


EIGHT_BIT = b"<chart>\nexpert=x.ex5\nname=\xe9\xd2\x81\n</chart>\n"


@pytest.mark.parametrize(("codepage", "name"), [(1252, "\u00e9\u00d2\udc81"), (1251, "\u0439\u0422\u0403")])
def test_an_8_bit_template_is_sent_as_utf_16(codepage, name):
    sent = prepare(EIGHT_BIT, "x.ex5", codepage)
    assert sent == file_of(f"<chart>\nexpert= \nname={name}\n</chart>\n\0", errors="surrogatepass")
    assert decode(encode("EURUSD", 16385, sent), codepage).template == sent


@pytest.mark.parametrize("zeros", [b"\0", b"\0\0"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_message_with_an_8_bit_template_is_accepted_as_it_is(mark, zeros):
    header = message()[:20]
    assert decode(header + mark + EIGHT_BIT + zeros) == ("EURUSD", 16385, mark + EIGHT_BIT + zeros)
    assert decode(message("old") + header + mark + EIGHT_BIT + zeros).template == mark + EIGHT_BIT + zeros
    assert decode(header + mark + EIGHT_BIT + zeros + message("new")) == decode(message("new"))
    for size in range(len(header + mark + EIGHT_BIT)):
        with pytest.raises(LayoutError):
            decode((header + mark + EIGHT_BIT + zeros)[:size])


@pytest.mark.parametrize("symbol", ["EURUSD", "XAUUSD.ec", "\u20acSTOXX"])
def test_a_symbol_of_nine_bytes_fits(symbol):
    assert symbol_problem(symbol, 1252) is None
    assert decode(encode(symbol, 1, prepare(small_template(), "x"), 1252), 1252).symbol == symbol


@pytest.mark.parametrize("symbol", ["EURUSD.pro", "\u20acSTOXX 50E", "\u0416"])
def test_a_symbol_that_does_not_fit_is_refused(symbol):
    assert symbols.symbol_problem(symbol) is None
    assert "cannot carry the symbol" in str(symbol_problem(symbol, 1252))


@pytest.mark.parametrize("symbol", ["", "EUR\0USD", " EURUSD", "EUR|USD"])
def test_a_name_that_is_not_a_symbol_is_refused_as_everywhere(symbol):
    assert symbol_problem(symbol, 1252) == symbols.symbol_problem(symbol) is not None


def test_a_symbol_is_measured_in_bytes_of_the_code_page():
    assert symbol_problem("\u0416" * 5, 1251) is None
    assert "has 10 bytes" in str(symbol_problem("\u0416" * 5, 65001))


def test_a_port_has_sixteen_bits():
    assert (listening_port_problem(0), port_problem(1), port_problem(65535)) == (None, None, None)
    for check in (port_problem, listening_port_problem):
        assert "invalid port: -1" in str(check(-1))
        assert "invalid port: 65536" in str(check(65536))
    assert "invalid port: 0" in str(port_problem(0))


def test_ten_bytes_of_symbol_without_a_nul_are_a_symbol():
    data = b"EURUSD.pro" + message()[10:]
    assert decode(data, 1252).symbol == "EURUSD.pro"


def test_the_newest_of_several_templates_is_the_last():
    data = message("old") + message("new", "GBPUSD", 1)
    assert decode(data, 1252) == ("GBPUSD", 1, message("new")[20:])


def test_a_zero_byte_in_a_character_does_not_end_a_template():
    # The second byte of one character and the first of the next are both zero here.
    file = file_of("<chart>\r\na=\u0041\u0100\u0042\r\n</chart>\r\n")
    assert b"A\0\0\x01" in file
    data = encode("EURUSD", 1, prepare(file, "x"), 1252)
    assert decode(data, 1252).template == file + b"\0\0"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "0 bytes"),
        (b"EURUS", "incomplete message: 5 of the 20 bytes"),
        (message()[:20], "a header without a template"),
        (message()[:-1], "incomplete message"),
        (message()[:-2], "incomplete message"),
        (message()[:40], "incomplete message"),
        (message() + message()[:30], "incomplete message"),
        (b"\0" * 20, "invalid header"),
        (b"EURUSD\0\0\0\0H1\0\0\0\0\0\0\0\0" + message()[20:], "invalid header"),
        (b"EUR\x81SD\0\0\0\0" + message()[10:], "invalid header"),
        (b"EUR\x1bSD\0\0\0\0" + message()[10:], "invalid header"),
        (message()[:20] + b"\xff\xfe<\0c\0\0\0", "not a template"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd", "invalid header"),
    ],
)
def test_bytes_that_are_not_a_whole_message_are_refused_with_a_reason(data, words):
    with pytest.raises(LayoutError, match=words):
        decode(data, 1252)


def test_a_message_cut_anywhere_is_never_taken_for_a_whole_one():
    data = message("a longer mark")
    for end in range(len(data)):
        with pytest.raises(LayoutError):
            decode(data[:end], 1252)


def test_an_original_s_header_alone_leaves_the_template_before_it():
    assert decode(message("good") + message()[:20], 1252).template == message("good")[20:]


# What a peer can send in place of one message, each with a repeated part.
SHAPES = {
    "messages": message("x"),
    "headers": message()[:20],
    "zeros": b"\0",
    "marks of byte order": b"\xff\xfe",
    "pairs of zeros at odd places": b"\x01\0\0\x01",
    "letters": b"a\0",
    "ones": b"\x01",
}


def work_of(data: bytes) -> float:
    """The characters that decode() looks at, for each byte of the data."""
    work = Work()
    with suppress(LayoutError):
        decode(CountedBytes.of(data, work), 1252)
    return work.characters / len(data)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("begin", [b"", message()[:22], message()])
def test_reading_a_message_takes_work_in_proportion_to_its_size(begin, shape):
    small, large = (work_of(begin + shape * count) for count in (500, 8000))
    assert large <= max(1.5 * small, 8)


@pytest.mark.parametrize(
    ("data", "incomplete"),
    [
        (b"", True),
        (b"EURUS", True),
        (message()[:-1], True),
        (message()[:20], True),
        (message()[:20] + b"<", True),
        (message()[:20] + b"<chart>\r\nsymbol", True),
        (message()[:20] + b"\xef\xbb\xbf<chart>", True),
        (message()[:20] + b"<chart>\r\n</chart>\r\n", True),
        (message()[:20] + b"<chart>\r\n\0", False),
        (message()[:20] + b"\xff\xfe<\0c\0\0\0", False),
        (b"x" * 30, False),
    ],
)
def test_the_beginning_of_a_message_is_told_apart_from_other_bytes(data, incomplete):
    with pytest.raises(LayoutError) as error:
        decode(data, 1252)
    assert isinstance(error.value, IncompleteError) == incomplete
