"""Write the programs of the exercises, and the output of real runs, into the pages of the exercises.

python -m notes.exercises.update          all exercises
python -m notes.exercises.update 8 10     only these
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from notes.exercises.report import printed, report
from notes.exercises.stage import run
from notes.exercises.table import EXERCISES, FOLDER, Exercise


def page_file(exercise: Exercise) -> Path:
    """The page of an exercise."""
    return FOLDER / f"{exercise.folder}.md"


def updated(number: int, text: str) -> str:
    """Return the page with its programs and outputs made anew. It must have a block for each.

    Errors: RuntimeError when a block is missing or a program does not end.
    """
    exercise = EXERCISES[number]
    broken, answer = run(exercise), run(exercise, answer=True)
    if problem := broken.problem or answer.problem:
        raise RuntimeError(f"{exercise.folder}: {problem}")
    files = {**exercise.files(answer=False), "answer": exercise.files(answer=True)[exercise.broken]}
    for file in files.values():
        text = _with_block(text, f"file: {file.name}", 'python linenums="1"', file.read_text(encoding="utf-8"))
    command = f"$ python notes/exercises/run.py {number}\n"
    text = _with_block(text, "run: broken", "text", command + report(number, broken))
    # Calls of which only a part is shown are different in each run of the answer.
    shown = printed(exercise, answer) if exercise.shown else report(number, answer, answer=True)
    return _with_block(text, "run: answer", "text", f"$ python notes/exercises/run.py {number} --answer\n{shown}")


def _with_block(text: str, name: str, kind: str, content: str) -> str:
    block = re.compile(rf"(<!-- {re.escape(name)} -->\n```{kind}\n).*?(?=```)", re.DOTALL)
    changed, count = block.subn(lambda match: match[1] + content, text)
    if count != 1:
        raise RuntimeError(f"the page must have one block <!-- {name} --> of kind {kind}, not {count}")
    return changed


def main() -> None:
    """Update the pages that the command line names."""
    parser = argparse.ArgumentParser(description="Write programs and outputs into the pages of the exercises.")
    parser.add_argument("numbers", type=int, nargs="*", metavar="N", help="default: all")
    numbers = parser.parse_args().numbers or list(EXERCISES)
    if unknown := set(numbers) - EXERCISES.keys():
        parser.error(f"unknown exercise: {min(unknown)}; the exercises are 1 to {len(EXERCISES)}")
    for number in numbers:
        file = page_file(EXERCISES[number])
        file.write_text(updated(number, file.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
        print(f"exercise {number}: {file.relative_to(FOLDER)}")


if __name__ == "__main__":
    main()
