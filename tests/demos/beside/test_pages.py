"""The pages in notes/beside: they are current, they have every line of the programs, and their links have targets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from terminal_kit import ROOT

from demos.beside.studies import all_errata, all_studies
from notes import conversations
from notes.beside import generate

FOLDER = ROOT / "notes" / "beside"
STUDIES = all_studies()
PAGES = {name: (FOLDER / f"{name}.md").read_text(encoding="utf-8") for name in STUDIES}
CALL = re.compile(r"^\| \[(\d+)\]\(([^)#]+)#L\1\) \| \[[\w ]+\]\(#[\w-]+\) \| <code>(\w+)\(", re.MULTILINE)

each_program = pytest.mark.parametrize("name", STUDIES)


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(text: str) -> set[str]:
    own = re.findall(r'<a id="([\w-]+)"></a>', text)
    headings = re.findall(r"^#+ (.*)$", without_code(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings} | {*own}


def target_exists(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    if not target.exists():
        return False
    if lines := re.fullmatch(r"L(\d+)(?:-L(\d+))?", anchor):
        first, last = int(lines[1]), int(lines[2] or lines[1])
        return 1 <= first <= last <= len(target.read_text(encoding="utf-8").splitlines())
    return not anchor or anchor in anchors(target.read_text(encoding="utf-8"))


@each_program
def test_a_page_is_what_the_generator_writes(name: str) -> None:
    assert PAGES[name] == generate.page(STUDIES[name], generate.old_run(PAGES[name]))


def test_the_index_is_what_the_generator_writes() -> None:
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == generate.index()


@each_program
def test_a_page_has_every_line_of_the_program_with_its_number(name: str) -> None:
    blocks = re.findall(r'^```python linenums="(\d+)"\n(.*?)^```$', PAGES[name], re.DOTALL | re.MULTILINE)
    shown = [pair for first, block in blocks for pair in enumerate(block.splitlines(), int(first))]
    numbered = dict(shown)
    lines = dict(enumerate(STUDIES[name].lines, 1))
    assert [number for number, _ in shown] == sorted(numbered)
    assert all(lines[number] == line for number, line in numbered.items())
    assert {number for number, line in lines.items() if line} <= numbered.keys()


@each_program
def test_the_code_of_a_page_can_be_copied_and_run(name: str) -> None:
    for block in re.findall(r"^```python[^\n]*\n(.*?)^```$", PAGES[name], re.DOTALL | re.MULTILINE):
        compile(block, name, "exec")


@each_program
def test_what_differs_is_a_statement_about_the_program(name: str) -> None:
    for part in STUDIES[name].parts:
        assert not re.match(r"The same|As in the listing", part.differs)


@pytest.mark.parametrize("page", [*STUDIES, "README"])
def test_every_link_has_a_target(page: str) -> None:
    path = FOLDER / f"{page}.md"
    links = re.findall(r"\]\(([^)\s]+)\)", without_code(path.read_text(encoding="utf-8")))
    assert links
    assert [link for link in links if not target_exists(path, link)] == []


@each_program
def test_a_page_explains_every_erratum_of_its_program(name: str) -> None:
    for part in STUDIES[name].parts:
        section = PAGES[name].partition(f"\n## {part.name}\n")[2].partition("\n## ")[0]
        assert section
        assert part.does in section
        for number in part.errata:
            assert f"- [{number}](../errata.md#{number.lower()}): {all_errata()[number].original}\n" in section


@each_program
def test_a_link_of_a_call_leads_to_a_line_that_makes_the_call(name: str) -> None:
    study = STUDIES[name]
    found = CALL.findall(PAGES[name])
    assert len(found) >= 5
    for line, file, call in found:
        assert (FOLDER / file).resolve() == study.path
        assert f"{call}(" in study.lines[int(line) - 1]


@pytest.mark.parametrize("pair", conversations.PAIRS)
def test_a_run_makes_the_calls_of_the_page_in_the_same_lines(pair: str) -> None:
    run = generate.recorded(pair)
    for study in STUDIES.values():
        if study.path.parent.name == pair:
            shown = {(int(line), call) for line, _, call in CALL.findall(PAGES[study.name])}
            assert generate.calls(run, study).keys() == shown
            assert re.search(r"```mermaid\nsequenceDiagram\n", generate.run_section(run, study))
