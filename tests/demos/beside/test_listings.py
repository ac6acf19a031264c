"""A text is split into listings, and a listing into procedures; a listing is recognized by its names."""

from __future__ import annotations

from html import escape, unescape

import pytest
from beside_kit import STUDIES, listing, procedures_of

from demos.beside.matching import best_match, matches_in
from demos.beside.mql_listings import listings_in

ALL = "\n".join(f"Text that isn't code (of {name}).\n\n```\n{listing(name)}```\n" for name in STUDIES)
AS_HTML = "<!DOCTYPE html>\n<p>Text</p>" + "".join(
    f'<p>More &amp; more</p><pre class="code">{escape(listing(name))}</pre>' for name in STUDIES
)
ALL_CODE = "".join(listing(name) for name in STUDIES)
AS_TEXT = "\n".join(f"Text that isn't code; it's about {name}.\n\n{listing(name)}" for name in STUDIES)

each_program = pytest.mark.parametrize("name", STUDIES)


def names(text: str) -> list[str]:
    [found] = listings_in(text, is_source=True)
    return [procedure.name for procedure in found.procedures]


@each_program
def test_a_source_file_is_split_into_its_procedures(name: str) -> None:
    [found] = listings_in(listing(name), is_source=True)
    assert [procedure.name for procedure in found.procedures] == procedures_of(STUDIES[name])
    lines = listing(name).splitlines()
    for procedure in found.procedures:
        assert [lines[number - 1] for number, _ in procedure.lines] == [line for _, line in procedure.lines]
        assert procedure.lines[0][1] == f"//--- about {procedure.name}"
        assert procedure.lines[-1][1] == "  }"
        assert procedure.complete
    assert found.declarations == [(number, lines[number - 1]) for number in range(1, 5)]


@each_program
@pytest.mark.parametrize("text", [ALL, AS_HTML, AS_TEXT], ids=["markdown", "html", "text"])
def test_every_program_is_found_in_an_article(name: str, text: str) -> None:
    [match] = [match for match in matches_in(listings_in(text, is_source=False)) if match.study.name == name]
    [alone] = listings_in(listing(name), is_source=True)
    assert match.missing == match.additional == match.incomplete == []
    assert match.listing.code == alone.code
    first = match.listing.declarations[0]
    assert first[1] == "//+----+"
    assert text.splitlines()[first[0] - 1].endswith("//+----+")


@each_program
def test_a_program_that_lacks_a_procedure_and_has_another_one_is_recognized(name: str) -> None:
    gone = procedures_of(STUDIES[name])[-1]
    [match] = matches_in(listings_in(listing(name, (gone,), "int Mine() { return 1; }\n"), is_source=True))
    assert match.study.name == name
    assert (match.missing, match.additional) == ([gone], ["Mine"])


@pytest.mark.parametrize(
    "text",
    [
        "int OnInit() { return 0; }\nvoid OnDeinit(const int reason) { }\nvoid OnTick() { Print(1); }\n",
        "int OnInit() { return 0; }\nvoid OnTimer() { }\nvoid CloseClean() { }\n",
        # The calls of TplClient, in a procedure of another name.
        "void Mine() { WSAStartup(1); socket(1); htons(1); inet_addr(1); connect(1); ioctlsocket(1); recv(1);\n"
        "shutdown(1); closesocket(1); WSACleanup(); WSAGetLastError(); WSAErrorDescript(1); MAKEWORD(2, 2); }\n",
        "no code",
        "",
    ],
)
def test_another_program_is_not_recognized(text: str) -> None:
    assert matches_in(listings_in(text, is_source=True)) == []


def test_the_program_that_the_user_names_is_taken_although_it_is_not_recognized() -> None:
    listings = listings_in("void OnTick() { }\n", is_source=True)
    match = best_match(STUDIES["tick_client"], listings)
    assert match is not None
    assert match.missing == ["OnInit", "OnDeinit", "CloseClean"]
    assert best_match(STUDIES["tpl_client"], listings) is None


def test_programs_in_a_source_file_are_split_and_keep_all_its_lines() -> None:
    first, second = listing("tpl_server"), f"// mine\n{listing('tick_client')}// end\n"
    found = listings_in(first + second, is_source=True)
    assert [match.study.name for match in matches_in(found)] == ["tpl_server", "tick_client"]
    assert [line for _, line in found[0].declarations] == first.splitlines()[:4]
    assert [line for _, line in found[1].declarations] == ["// mine", *second.splitlines()[1:5], "// end"]
    assert found[1].declarations[0][0] == first.count("\n") + 1


def test_two_variants_of_a_procedure_between_conditions_are_one_program() -> None:
    start = "int OnInit() { return 0; }\n"
    text = f"# ifdef A\n{start}#else\n{start}#endif\n#ifndef B\n{start}#endif\nvoid OnTimer() {{ }}\n"
    assert names(text) == ["OnInit", "OnInit", "OnInit", "OnTimer"]


def test_braces_in_comments_strings_and_characters_do_not_end_a_procedure() -> None:
    text = 'void A()\n{\n// }\n/* } \n } */\nPrint("}\\"}");\nushort c=\'}\';\n}\nvoid B() { }\n'
    [found] = listings_in(text, is_source=True)
    assert [(procedure.name, len(procedure.lines)) for procedure in found.procedures] == [("A", 8), ("B", 1)]


def test_the_methods_of_a_class_and_statements_are_not_procedures() -> None:
    text = "class C\n{\nvoid M() { }\n};\nstruct S { int a; };\nvoid A()\n{\nelse if(x) { }\nreturn f(x);\n}\n"
    assert names(text) == ["A"]


def test_a_head_may_have_a_comment_a_default_value_and_several_lines() -> None:
    text = "static const string A(uchar &a[],\n   int b=1) // why\n  { }\nCTrade *B(void)\n{\n}\n"
    assert names(text) == ["A", "B"]


def test_a_prototype_and_a_macro_are_declarations() -> None:
    [found] = listings_in("int A(int b);\n#define M(a) {a}\nvoid B() { }\n", is_source=True)
    assert [line for _, line in found.declarations] == ["int A(int b);", "#define M(a) {a}"]
    assert [procedure.name for procedure in found.procedures] == ["B"]


def test_a_procedure_without_its_last_brace_ends_before_the_next_one_and_is_reported() -> None:
    [found] = listings_in("void A()\n{\n if(x) {\n}\n\nvoid B()\n{\n}\n", is_source=True)
    assert [(p.name, p.lines[0][0], p.lines[-1][0], p.complete) for p in found.procedures] == [
        ("A", 1, 4, False),
        ("B", 6, 8, True),
    ]


def test_procedures_of_the_same_name_are_shown_together() -> None:
    text = listing("tick_client", more="void CloseClean(int all) { }\n")
    [match] = matches_in(listings_in(text, is_source=True))
    assert "void CloseClean(int all) { }" in [line for _, line in match.theirs["CloseClean"].lines]
    again = [line for _, line in match.theirs["CloseClean"].lines]
    assert again.count("void CloseClean(int all) { }") == 1


def test_an_unfinished_fence_hides_nothing() -> None:
    [match] = matches_in(listings_in(f"Text\n```\n{listing('tpl_client')}", is_source=False))
    assert match.study.name == "tpl_client"


@pytest.mark.parametrize(
    "start",
    [
        '<?xml version="1.0"?>\n<!DOCTYPE html>',
        "<section>",
        "<!-- one -->\n<!-- two --><table>",
        "# A heading\n\n",
        "# A heading\n\n```\nx = 1;\n```\n",
        "<p>x</p><pre>x = 1;</pre>",
    ],
)
def test_a_listing_in_pre_is_read_without_its_entities(start: str) -> None:
    found = listings_in(f"{start}\n<pre>{escape(listing('tpl_server'))}</pre>\n", is_source=False)
    [match] = matches_in(found)
    assert (match.study.name, match.missing, match.additional, match.incomplete) == ("tpl_server", [], [], [])
    assert '   Print("} is no brace"); // nor is {' in [line for _, line in match.theirs["OnDeinit"].lines]


@pytest.mark.parametrize(
    "text",
    [
        "```\nx = 1;\n```\n{}",
        "~~~\nvoid Other() {{ }}\n~~~\nText\n\n{}\n",
        "<pre>x = 1;</pre>Text<div>{}</div>",
        "<pre>void Other() {{ }}</pre>Text<br>{}",
        "<div>{}<pre>x = 1;",
    ],
)
def test_a_marked_block_does_not_hide_a_listing_without_marks(text: str) -> None:
    is_html = text.startswith("<")
    code = escape(listing("signal_client")).replace("\n", "<br>") if is_html else listing("signal_client")
    [match] = matches_in(listings_in(text.format(code), is_source=False))
    assert (match.study.name, match.missing, match.additional, match.incomplete) == ("signal_client", [], [], [])


@each_program
@pytest.mark.parametrize(
    ("before", "after"), [("```\n", "```\n"), ("<p>Text</p><pre>", "</pre>\n")], ids=["fences", "pre"]
)
@pytest.mark.parametrize("length", [1, 7])
def test_a_program_in_several_blocks_is_found(name: str, before: str, after: str, length: int) -> None:
    code = [f"{line}\n" for line in (escape(ALL_CODE) if before.startswith("<") else ALL_CODE).splitlines()]
    parts = ["".join(code[start : start + length]) for start in range(0, len(code), length)]
    text = "".join(f"{before}{part}{after}More text.\n" for part in parts)
    [match] = [match for match in matches_in(listings_in(text, is_source=False)) if match.study.name == name]
    assert (match.missing, match.additional, match.incomplete) == ([], [], [])
    lines = text.splitlines()
    for procedure in match.listing.procedures:
        for number, line in procedure.lines:
            assert unescape(lines[number - 1]).endswith(line)


def test_a_block_that_repeats_a_procedure_is_not_added_to_a_complete_program() -> None:
    text = f"```\n{listing('tpl_server')}```\n\n```\nvoid OnDeinit(int a,string b)\n  {{\n  }}\n```\n"
    [match] = matches_in(listings_in(text, is_source=False))
    [alone] = listings_in(listing("tpl_server"), is_source=True)
    assert match.listing.code == alone.code


@pytest.mark.parametrize("form", ["{}<br>\n", "<div>{}</div>\n", "<p>{}</p>", "{}<br>"])
def test_html_that_marks_each_line_is_read_without_additional_lines_and_scripts(form: str) -> None:
    lines = escape(listing("tpl_client").replace("  {\n", "  {\n   int i;\n")).splitlines()
    script = "<script>\nfunction show(a) {\n}\n</script>"
    text = f"<html>{script}" + "".join(form.format(line) for line in lines[:-2]) + script
    found = listings_in(text + "".join(form.format(line) for line in lines[-2:]) + script, is_source=False)
    [match] = matches_in(found)
    [alone] = listings_in(unescape("\n".join(lines)), is_source=True)
    assert match.additional == []
    assert [[line for _, line in procedure.lines] for procedure in match.listing.procedures] == [
        [line for _, line in procedure.lines] for procedure in alone.procedures
    ]


def test_an_entity_after_the_last_tag_is_read() -> None:
    [match] = matches_in(listings_in(f"<pre>{escape(listing('tick_client'))}", is_source=False))
    assert (match.missing, match.incomplete) == ([], [])


@pytest.mark.parametrize("text", ["<html>" + "<!" * 100_000, "<!-- -->" * 10_000 + "x"], ids=["tags", "comments"])
def test_a_text_without_end_of_a_tag_is_read(text: str) -> None:
    assert listings_in(text, is_source=False) == []


def test_of_two_copies_of_a_program_the_better_one_is_taken() -> None:
    worse, better = listing("tick_server", ("OnDeinit",)), listing("tick_server")
    [match] = matches_in(listings_in(f"```\n{worse}```\n```\n{better}```\n", is_source=False))
    assert match.missing == []


def test_line_ends_of_windows_and_tabs_are_read() -> None:
    [found] = listings_in("void A()\r\n\t{\r\n\t}\r\n", is_source=True)
    assert [line for _, line in found.procedures[0].lines] == ["void A()", "   {", "   }"]
