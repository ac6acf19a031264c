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
from notes.exercises.table import EXERCISES, is_changed
from winsock.command_line import run_command
from winsock.trace.page import page


def _list() -> str:
    """The exercises with their numbers."""
    return "\n".join(f"{number:2}  {exercise.title}" for number, exercise in EXERCISES.items())


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
            options.page.write_text(page(result.calls, exercise.title), encoding="utf-8")
        except OSError as error:
            parser.error(f"{options.page}: cannot be written: {error.strerror}")
        print(f"\nThe page is in {options.page}")
    if result.problem:
        sys.stdout.flush()
        parser.exit(1, f"\n{parser.prog}: error: {result.problem}\n")


def command() -> int:
    """Run the command line; its exit code."""
    try:
        return run_command("run.py", main)
    except KeyboardInterrupt:
        sys.stderr.write("\nrun.py: ended by Ctrl-C\n")
        return 130


if __name__ == "__main__":
    sys.exit(command())
