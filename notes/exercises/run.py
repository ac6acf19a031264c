"""Run the programs of an exercise with a trace, and show what they print and which calls they make.

python notes/exercises/run.py 8                    the broken programs of exercise 8
python notes/exercises/run.py 8 --answer           the same with the answer
python notes/exercises/run.py 8 --page TALK.html   also write the run as a page for the browser

The programs take turns: `input("timer> ")` in a program stands for its next timer event, and this runner presses Enter.
Only one program works at a time, so each run has the same result.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

if __name__ == "__main__":
    # Started by its path: Python does not find the folder notes.
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from notes.exercises.report import comparison, report
from notes.exercises.stage import run
from notes.exercises.table import EXERCISES, FOLDER, is_changed
from winsock.command_line import is_same_file, run_command
from winsock.trace.page import page
from winsock.trace.trace_arguments import write_file


def _list() -> str:
    """The exercises with their numbers."""
    return "\n".join(f"{number:2}  {exercise.title}" for number, exercise in EXERCISES.items())


def _page_problem(file: Path) -> str:
    """Why a page cannot be written to this file; "" if nothing is known against it."""
    if any(is_same_file(file, other) for other in FOLDER.rglob("*.*")):
        return "the page would replace a file of the exercises; write it to another file"
    if file.is_dir():
        return "a folder; name a file"
    return "" if file.parent.is_dir() else f"no such folder: {str(file.parent)!r}"


def main() -> None:
    """Run the exercise that the command line names."""
    parser = argparse.ArgumentParser(
        description="Run an exercise, and show what its programs print and call.",
        epilog=f"The exercises:\n{_list()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("number", type=int, choices=EXERCISES, metavar="N", help=f"1 to {len(EXERCISES)}")
    parser.add_argument("--answer", action="store_true", help="run the answer in place of the broken program")
    parser.add_argument("--page", type=Path, metavar="FILE", help="also write the run as a page for the browser")
    options = parser.parse_args(sys.argv[1:] or ["--help"])
    exercise = EXERCISES[options.number]
    if options.page and (problem := _page_problem(options.page)):
        parser.error(f"{options.page}: {problem}")
    try:
        result = run(exercise, options.answer)
        answer = None if options.answer or result.problem or not is_changed(exercise) else run(exercise, answer=True)
    except RuntimeError as error:
        parser.exit(1, f"{parser.prog}: error: {error}\n")
    print(report(options.number, result, options.answer), end="")
    if answer:
        print(f"\n{comparison(exercise, result, answer)}", end="")
    if options.page:
        try:
            write_file(options.page, page(result.calls, exercise.title).encode())
        except OSError as error:
            parser.error(f"{options.page}: cannot be written: {error.strerror}")
        print(f"\nThe page is in {options.page}")
    if result.problem:
        sys.stdout.flush()
        parser.exit(1, f"\n{parser.prog}: error: {result.problem}\n")


def command() -> int:
    """Run the command line; its exit code."""
    return run_command("run.py", main)


if __name__ == "__main__":
    sys.exit(command())
