"""A job with one child, the program fragile.py; run as a script it is the subcommand `tiny`."""

import math
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2]))

from demos.__main__ import main as demos_main  # noqa: E402 - found through the line above
from demos.launcher.job import Job, run_job  # noqa: E402
from demos.launcher.views import Tables, process_table  # noqa: E402
from demos.registry import SUBCOMMANDS, Subcommand  # noqa: E402


class TinyJob(Job):
    command = "tiny"
    names = ("child",)

    def prepare(self, folder, stack):
        pass

    def run(self, runner):
        inputs = [f"--mark={self.options.mark}"] if self.options.mark else []
        runner.start("child", ["run", str(HERE / "fragile.py"), "--speed=max", "--seed=1", *inputs], restart=True)
        runner.wait_until(lambda: False, math.inf)

    def take_line(self, child, text):
        if text.endswith("OnInit ready"):
            child.ready = True

    def tables(self, processes, state, height):
        return Tables(process_table("tiny", ()))

    def summary(self, runner):
        return {"restarts": runner.children["child"].restarts, "problem": None}

    def summary_text(self, summary):
        return f"{summary['restarts']} restarts"


def add_parser(subparsers):
    parser = subparsers.add_parser("tiny")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--mark")


def main(args):
    return run_job(TinyJob(args))


if __name__ == "__main__":
    SUBCOMMANDS["tiny"] = Subcommand("tiny_job", "run one child")
    sys.exit(demos_main(["tiny", *sys.argv[1:]]))
