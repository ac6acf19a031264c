"""Template files: reading, writing back byte for byte, and errors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tpl_kit import file_of, text_of
from work_kit import CountedBytes, Work

from demos.terminal.charts import layout, template
from demos.terminal.charts.template import Line, TemplateError, new_section, parse, to_bytes
from demos.terminal.mql import constants as c

# As MetaTrader 5 writes one: an Expert Advisor, two windows, keys behind sections, blank lines in places.
REAL = """\
<chart>
id=132799915187825285
symbol=XAUUSD
description=Gold, 1 lot = 100 ounces
period_type=1
period_size=1
digits=2
tick_size=0.010000
scale=16
mode=1
floating_tbstate=
background_color=0
windows_total=2

<expert>
name=Some Expert
path=Experts\\Some Expert.ex5
expertmode=5
<inputs>
; a remark
=== a title ====
<not a section>
Value=1=2
</inputs>
</expert>

<window>
height=137.432136
objects=1

<indicator>
name=Main
path=
</indicator>

<indicator>
name=Moving Average
apply=1

<graph>
name=
draw=129
color=16711680
</graph>
period=20
method=1
</indicator>
<object>
type=2
name=autotrade #1 -> #2
hidden=1
descr=1.1 -> 1.2
unknown key with blanks = value
date1=1626793951
</object>

</window>

<window>
height=30.651081
<indicator>
name=Relative Strength Index

<level>
level=30.000000
</level>
period=10
</indicator>
</window>
</chart>

""".replace("\n", "\r\n")


def test_a_template_is_written_back_byte_for_byte():
    data = file_of(REAL)
    assert to_bytes(parse(data)) == data


@pytest.mark.parametrize(
    "text",
    [
        "<chart>\n</chart>",
        "\r\n<chart>\r\n</chart>\r\n\0",
        "<chart>\r\n<future a=1>\r\nline\rwith a bare return\n</chart>\n\n\n",
        "<chart>\r\n  <window>  \r\n\t</window>\r\n</chart>\r\n",
        "<chart>\r\nname=\u00e9\u6f22\U0001f600\r\n</chart>\r\n",
        "<chart>\r\n<a>\r\n<a>\r\n</a>\r\n</a>\r\n</chart>\r\n<chart>\r\n</chart>\r\n",
    ],
)
def test_unusual_line_ends_blanks_and_trailing_data_are_kept(text):
    assert to_bytes(parse(file_of(text))) == file_of(text)


def test_a_lone_surrogate_is_kept():
    data = file_of("<chart>\r\na=") + b"\x00\xd8" + file_of("\r\n</chart>\r\n")[2:]
    assert to_bytes(parse(data)) == data


TEXT = "<chart>\r\nsymbol=EURUSD\r\ndescr=\u00e9 \u20ac\r\n</chart>\r\n"
UNIX = TEXT.replace("\r\n", "\n")

# Text and encoding of files that MetaTrader 4, editors and version control leave.
FILES = [
    *((TEXT, codec) for codec in ("cp1252", "utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "utf-16")),
    *((UNIX, codec) for codec in ("cp1252", "utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "utf-16")),
    ("\ufeff" + UNIX, "utf-16-be"),
    (TEXT.replace("\r\n", "\r"), "cp1252"),
    (UNIX.rstrip(), "cp1252"),
    ("\r\n" + UNIX, "cp1252"),
    (UNIX.replace("\u00e9 \u20ac", "ASCII"), "ascii"),
]

# Bytes that are not text in the code page 1252, or not UTF-8 although there is a mark.
BYTES = [
    *(UNIX.encode("latin-1", "replace") + ending for ending in (b"\0", b"\0\0")),
    UNIX.encode("cp1251", "replace"),
    UNIX.encode("cp932", "replace").replace(b"?", b"\x83e\x83X\x83g"),
    UNIX.encode("cp1252").replace(b"\xe9", b"\x81\x8d\x8f\x90\x9d\xff"),
    b"\xef\xbb\xbf" + UNIX.encode("cp1252"),
]


@pytest.mark.parametrize("data", [*(text.encode(codec) for text, codec in FILES), *BYTES])
def test_a_file_of_any_encoding_is_written_back_byte_for_byte(data):
    document = parse(data)
    assert layout.root(document).get("symbol") == "EURUSD"
    assert to_bytes(document) == to_bytes(document.copy()) == data


@given(st.binary(max_size=40).filter(lambda value: not set(value) & set(b"\r\n<")))
def test_any_bytes_of_an_8_bit_value_are_written_back_unchanged(value):
    data = b"<chart>\nname=" + value + b"\n</chart>\n"
    assert to_bytes(parse(data)) == data


@pytest.mark.parametrize(("text", "codec"), FILES)
def test_a_change_has_the_encoding_and_the_line_ends_of_the_file(text, codec):
    document = parse(text.encode(codec))
    layout.root(document).set("symbol", "GBPUSD")
    layout.root(document).set("new", "\u00dc" if "\u00e9" in text else "U")
    end = "\r\n" if text.count("\r\n") > 1 else "\n" if "\n" in text else "\r"
    new = "new=" + ("\u00dc" if "\u00e9" in text else "U") + end + "</chart>"
    assert to_bytes(document) == text.replace("EURUSD", "GBPUSD").replace("</chart>", new).encode(codec)


@pytest.mark.parametrize(("text", "codec"), FILES[:-1])
def test_a_text_is_read_in_the_encoding_of_its_file(text, codec):
    assert layout.root(parse(text.encode(codec))).get("descr") == "\u00e9 \u20ac"


def test_the_caller_chooses_the_code_page_of_8_bit_text():
    data = "<chart>\ndescr=\u0416\n</chart>".encode("cp1251")
    assert layout.root(parse(data, "cp1251")).get("descr") == "\u0416"
    assert to_bytes(parse(data, "cp1251")) == data


def test_a_character_that_the_encoding_lacks_makes_the_file_utf_16():
    document = parse(b"<chart>\nsymbol=EURUSD\n</chart>\n")
    layout.root(document).set("symbol", "\u00e9")
    assert to_bytes(document) == b"<chart>\nsymbol=\xe9\n</chart>\n"
    layout.root(document).set("symbol", "\u6f22")
    assert to_bytes(document) == file_of("<chart>\nsymbol=\u6f22\n</chart>\n")


def test_an_object_is_removed_from_a_file_with_other_line_ends_without_a_trace():
    data = file_of(REAL.replace("\r\n", "\n"))
    document = parse(data)
    assert layout.add_object(document, c.OBJ_HLINE, "a", [(0, 1.5)])
    assert b"\r\0" not in to_bytes(document)
    assert layout.remove_object(document, "a")
    assert to_bytes(document) == data


def test_a_template_of_metatrader_4_keeps_its_keys():
    document = parse(b"<chart>\nsymbol=GBPUSD\nperiod=60\ndigits=5\n</chart>\n")
    layout.set_view(document, 1, "EURUSD", c.PERIOD_W1, 3)
    assert to_bytes(document) == b"<chart>\nsymbol=EURUSD\nperiod=10080\ndigits=3\n</chart>\n"


values = st.text(st.characters(exclude_characters="\n", exclude_categories=("Cs",)), max_size=20)
keys = st.text("abcdefgh_123 ", min_size=1, max_size=8)
lines = st.builds(lambda key, value: f"{key}={value}\r\n", keys, values)
sections = st.recursive(
    st.lists(lines, max_size=4).map("".join),
    lambda inner: st.tuples(st.lists(lines, max_size=2), st.sampled_from(["window", "object", "x1"]), inner).map(
        lambda parts: f"{''.join(parts[0])}<{parts[1]}>\r\n{parts[2]}</{parts[1]}>\r\n\r\n"
    ),
    max_leaves=6,
)


@given(sections)
def test_any_content_of_a_section_is_written_back_unchanged(inner):
    data = file_of(f"<chart>\r\n{inner}</chart>\r\n")
    assert to_bytes(parse(data)) == data


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<chart>\r\n", "ends inside <chart>"),
        (b"\xfe\xff" + "<window>\n</window>".encode("utf-16-be"), "no <chart>"),
        (b"\x89PNG\r\n\x1a\n", "line 1: expected <chart>, found \u2030PNG"),
        ("<chart>\n</chart>\n".encode("utf-16-le") + b"x", "the last character has one"),
        (file_of("<chart>\r\n</chart>\r\n") + b"x", "the last character has one"),
        (file_of("<chart>\r\n<window>\r\n</chart>\r\n"), "line 3: expected </window>, found </chart>"),
        (file_of("<chart>\r\n<window>\r\n"), "ends inside <window>"),
        (file_of("</chart>\r\n"), "line 1: expected <chart>"),
        (file_of("text\r\n<chart>\r\n</chart>"), "line 1: expected <chart>, found text"),
        (file_of(""), "no <chart>"),
        (file_of("<window>\r\n</window>\r\n"), "no <chart>"),
        (file_of("<chart>\r\n" + "<a>\r\n" * 50), "nested deeper"),
    ],
)
def test_bytes_that_are_not_a_template_are_rejected_with_the_line(data, words):
    with pytest.raises(TemplateError, match=words):
        parse(data)


# Files that editors, version control, DOS programs and hands leave. All have the symbol GBPUSD and one window.
ODD_TEXTS = {
    "blanks before keys": "<chart>\r\n  symbol=GBPUSD\r\n\t<window>\r\n\t</window>\r\n</chart>\r\n",
    "blanks around a key": "<chart>\r\n\tsymbol =GBPUSD\r\n<window>\r\n</window>\r\n</chart>\r\n",
    "blanks around tags": " <chart>\t\r\nsymbol=GBPUSD\r\n <window> \r\n</window>\t\r\n</chart> \r\n",
    "Ctrl-Z on its own line": "<chart>\r\nsymbol=GBPUSD\r\n<window>\r\n</window>\r\n</chart>\r\n\x1a",
    "Ctrl-Z after the tag": "<chart>\nsymbol=GBPUSD\n<window>\n</window>\n</chart>\x1a",
    "Ctrl-Z and NULs": "<chart>\nsymbol=GBPUSD\n<window>\n</window>\n</chart>\n\x1a\0\0\n\x1a",
    "a NUL after the tag": "<chart>\r\nsymbol=GBPUSD\r\n<window>\r\n</window>\r\n</chart>\0",
    "two byte order marks": "\ufeff<chart>\r\nsymbol=GBPUSD\r\n<window>\r\n</window>\r\n</chart>\r\n",
    "CR only": "<chart>\rsymbol=GBPUSD\r<window>\r</window>\r</chart>\r",
    "two CR in each line end": "<chart>\r\r\nsymbol=GBPUSD\r\r\n<window>\r\r\n</window>\r\r\n</chart>\r\r\n",
    "mixed line ends": "<chart>\nsymbol=GBPUSD\r\n<window>\r\r\n</window>\n\n\r\n</chart>\r",
    "blank lines": "\r\n\r\n<chart>\r\n\r\nsymbol=GBPUSD\r\n \r\n<window>\r\n</window>\r\n\r\n</chart>\r\n\r\n",
    "upper-case tags": "<CHART>\r\nsymbol=GBPUSD\r\n<Window>\r\n</WINDOW>\r\n</Chart>\r\n",
    "two symbols": "<chart>\r\nsymbol=GBPUSD\r\nsymbol=USDJPY\r\n<window>\r\n</window>\r\n</chart>\r\n",
    "a long line": f"<chart>\r\nsymbol=GBPUSD\r\nname={'x' * 100_000}\r\n<window>\r\n</window>\r\n</chart>\r\n",
    "other lines": "<chart>\r\nsymbol=GBPUSD\r\n<a b>\r\n<>\r\n< c>\r\n<window>\r\n</window>\r\n</chart>\r\n",
    "keys after the window": "<chart>\r\n<window>\r\n</window>\r\nsymbol=GBPUSD\r\n</chart>\r\n",
    "no line end": "<chart>\nsymbol=GBPUSD\n<window>\n</window>\n</chart>",
}
ODD_ENCODINGS = ("cp1252", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")


def encoded(text: str, codec: str) -> bytes:
    # A second mark cannot be written in 8-bit text without UTF-8.
    return text.encode("utf-8" if codec == "cp1252" else codec)


@pytest.mark.parametrize("codec", ODD_ENCODINGS)
@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS)
def test_an_odd_but_complete_template_is_read_and_written_back_byte_for_byte(text, codec):
    data = encoded(text, codec)
    document = parse(data)
    chart = layout.root(document)
    assert chart.get("symbol") == "GBPUSD"
    assert len(list(chart.sections("window"))) == 1
    assert to_bytes(document) == data


@pytest.mark.parametrize("codec", ODD_ENCODINGS)
@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS)
def test_a_change_of_an_odd_template_changes_only_the_value(text, codec):
    document = parse(encoded(text, codec))
    layout.root(document).set("symbol", "EURUSD")
    assert to_bytes(document) == encoded(text.replace("GBPUSD", "EURUSD", 1), codec)


@pytest.mark.parametrize("tail", [b"\0", b"\n", b"\r", b"\x1a"])
def test_the_single_byte_that_an_8_bit_program_appends_to_a_utf_16_file_is_kept(tail):
    data = file_of(REAL) + tail
    document = parse(data)
    assert layout.root(document).get("scale") == "16"
    assert to_bytes(document) == to_bytes(document.copy()) == data


def test_a_changed_template_without_period_gets_its_keys():
    document = parse(b" <chart>\n  symbol=X\n</chart>\x1a")
    layout.set_view(document, 1, "EURUSD", c.PERIOD_H1, 5)
    assert to_bytes(document) == (
        b" <chart>\n  symbol=EURUSD\nid=1\nperiod_type=1\nperiod_size=1\ndigits=5\n</chart>\x1a"
    )


def test_setting_a_value_changes_only_its_line():
    document = parse(file_of(REAL))
    layout.root(document).set("scale", 8)
    assert text_of(to_bytes(document)) == REAL.replace("scale=16", "scale=8")


def test_a_key_after_a_section_is_changed_there():
    document = parse(file_of(REAL))
    average = list(layout.main_window(document).sections("indicator"))[1]
    assert average.get("period") == "20"
    average.set("period", 21)
    assert text_of(to_bytes(document)) == REAL.replace("period=20", "period=21")


def test_a_new_key_is_inserted_after_the_last_key_before_the_sections():
    document = parse(file_of(REAL))
    layout.root(document).set("new", "x")
    assert text_of(to_bytes(document)) == REAL.replace("windows_total=2\r\n", "windows_total=2\r\nnew=x\r\n")


def test_get_and_set_use_the_first_of_two_equal_keys():
    assert new_section("a", ("k", 1), ("k", 2)).get("k") == "1"
    assert new_section("a").get("k", "none") == "none"


def test_a_copy_is_independent():
    document = parse(file_of(REAL))
    copy = document.copy()
    layout.root(copy).set("scale", 1)
    assert to_bytes(document) == file_of(REAL)


def test_an_expert_is_inserted_before_the_windows_and_removed_again():
    document = parse(file_of(REAL))
    layout.set_expert(document, "tpl_server", {"Host": "127.0.0.1", "text": "a\r\n</inputs>"})
    text = text_of(to_bytes(document))
    assert (
        "windows_total=2\r\n\r\n<expert>\r\nname=tpl_server\r\npath=Experts\\tpl_server.ex5\r\nexpertmode=5\r\n"
        "<inputs>\r\nHost=127.0.0.1\r\ntext=a  </inputs>\r\n</inputs>\r\n</expert>\r\n\r\n<window>" in text
    )
    assert text.count("<expert>") == 1
    layout.set_expert(document, "", {})
    begin, end = REAL.index("<expert>"), REAL.index("<window>")
    assert text_of(to_bytes(document)) == REAL[:begin] + REAL[end:]


def test_objects_are_counted_and_have_unique_names():
    document = layout.new_chart()
    assert layout.add_object(document, c.OBJ_HLINE, "a", [(0, 1.5)], color=255)
    assert not layout.add_object(document, c.OBJ_HLINE, "a", [(0, 1.6)])
    assert not layout.add_object(document, c.OBJ_HLINE, "b\r\n</object>", [(0, 1.6)])
    assert layout.main_window(document).get("objects") == "1"
    assert "<object>\r\ntype=1\r\nname=a\r\ncolor=255\r\nvalue1=1.500000\r\n</object>\r\n" in text_of(
        to_bytes(document)
    )
    assert layout.remove_object(document, "a")
    assert not layout.remove_object(document, "a")
    assert to_bytes(document) == to_bytes(layout.new_chart())


def test_averages_are_added_after_the_other_indicators_and_removed_again():
    document = layout.new_chart()
    layout.add_object(document, c.OBJ_VLINE, "v", [(7, 0.0)])
    layout.add_moving_average(document, 20, 1, 255)
    text = text_of(to_bytes(document))
    assert text.index("name=Main") < text.index("name=Moving Average") < text.index("<object>")
    assert text.index("</graph>") < text.index("period=20\r\nmethod=1")
    assert layout.remove_moving_averages(document) == 1
    assert "Moving Average" not in text_of(to_bytes(document))


def test_a_template_without_a_window_gets_one_when_an_object_is_added():
    document = parse(file_of("<chart>\r\n</chart>\r\n"))
    layout.add_moving_average(document, 5, 0, 0)
    assert to_bytes(parse(to_bytes(document))) == to_bytes(document)
    assert layout.remove_moving_averages(document) == 1


def test_a_line_without_an_equals_sign_has_no_key():
    assert Line("no key").key() == ""
    assert Line("k=a=b").value() == "a=b"


# Documents of very different shapes, each with a repeated part.
SHAPES = {
    "objects": "<object>\r\ntype=32\r\nname=autotrade #1 sell\r\ncolor=1918177\r\n</object>\r\n",
    "blank lines": "\n",
    "carriage returns": "\r",
    "one long line": "x",
    "keys": "a=b\r\n",
    "experts": "<expert>\n</expert>\n",
    "deep sections": "<a>\n<b>\n<c>\n</c>\n</b>\n</a>\n",
    "opaque lines": "<inputs>\n<x>\n</inputs>\n",
    "blanks": " " * 50 + "\n",
    "letters of two units": "\U0001f600\n",
    "NULs": "\0\n",
    "equals signs": "=" * 40 + "\n",
    "Ctrl-Z": "\x1a" * 40 + "\n",
    "padding": " \0" * 20 + "<a>" + "\x1a " * 20 + "\n</A>\n",
    "upper-case tags": "<A>\n</A>\n",
    "CRs at the end of a line": "x" + "\r" * 40 + "\n",
}


def work_of(text: str) -> float:
    """The characters that parse() looks at, for each character of the file."""
    data = file_of(f"<chart>\r\n{text}\r\n</chart>\r\n")
    work = Work()
    parse(CountedBytes.of(data, work))
    return work.characters / len(data)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_reading_a_template_takes_work_in_proportion_to_its_size(shape):
    small, large = (work_of(shape * count) for count in (200, 3200))
    assert large < 1.5 * small
    assert large < 8


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_template_with_too_many_lines_is_refused_before_memory_is_used_for_them(monkeypatch, end):
    monkeypatch.setattr(template, "MAX_LINES", 5)
    data = file_of(end.join(("<chart>", "a=1", "b=2", "</chart>", "")))
    assert to_bytes(parse(data)) == data
    data = file_of(end.join(("<chart>", "a=1", "b=2", "c=3", "</chart>", "")))
    with pytest.raises(TemplateError, match="at most 5 lines"):
        parse(data)


def test_removing_many_sections_visits_each_item_once():
    visits = 0

    class Items(list):
        def __iter__(self):
            nonlocal visits
            for item in super().__iter__():
                visits += 1
                yield item

    document = parse(
        file_of("<chart>\r\n" + "<expert>\r\n</expert>\r\n\r\n" * 500 + "<window>\r\n</window>\r\n</chart>\r\n")
    )
    chart = layout.root(document)
    chart.items = Items(chart.items)
    layout.set_expert(document, "", {})
    assert visits < 4 * 1001
    assert [item.name for item in chart.items] == ["window"]


def test_a_copy_is_equal_and_shares_no_line_with_the_original():
    document = parse(file_of(REAL))
    copy = document.copy()
    assert copy == document
    layout.root(copy).set("symbol", "other")
    assert layout.root(document).get("symbol") == "XAUUSD"
