"""tests/wine/run is transparent: what a program gets and gives under Wine is what the caller gave and gets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
RUN = CHECKOUT / "tests/wine/run"
NOT_BUILT = 125

pytestmark = pytest.mark.posix_only(reason="Wine itself is started from Linux")


@pytest.fixture(autouse=True, scope="module")
def _environment() -> None:
    if sys.platform == "win32":
        pytest.skip("Wine itself is started from Linux")
    done = subprocess.run([RUN, "python", "-c", ""], capture_output=True, text=True, check=False)
    if done.returncode == NOT_BUILT:
        pytest.skip(done.stderr.strip())
    assert (done.returncode, done.stderr) == (0, "")


def under_wine(
    code: str, *arguments: str, send: str = "", cwd: Path = CHECKOUT, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [RUN, "python", "-c", code, *arguments],
        input=send,
        capture_output=True,
        encoding="utf-8",
        cwd=cwd,
        env=os.environ | variables,
        check=False,
    )


def test_the_program_runs_on_windows() -> None:
    done = under_wine("import ctypes, sys; ctypes.WinDLL('Ws2_32.dll'); print(sys.platform, sys.version_info[:2])")
    assert (done.stdout, done.stderr) == ("win32 (3, 11)\n", "")


def test_the_exit_code_is_handed_through() -> None:
    assert under_wine("raise SystemExit(7)").returncode == 7


def test_streams_are_handed_through_apart() -> None:
    done = under_wine("import sys; print(sys.stdin.read().upper()); print('aside', file=sys.stderr)", send="text")
    assert (done.stdout, done.stderr) == ("TEXT\n", "aside\n")


def test_all_output_arrives_before_the_end() -> None:
    done = under_wine("import os; os.write(1, b'x' * 3_000_000)")
    assert len(done.stdout) == 3_000_000


def test_arguments_are_handed_through() -> None:
    done = under_wine("import sys; print(ascii(sys.argv[1:]))", "two words", 'a "quote"', "back\\slash", "é", "")
    assert done.stdout == ascii(["two words", 'a "quote"', "back\\slash", "é", ""]) + "\n"


def test_the_working_directory_is_the_callers(tmp_path: Path) -> None:
    folder = tmp_path / "é"
    folder.mkdir()
    under_wine("open('here', 'w').close()", cwd=folder)
    assert [path.name for path in folder.iterdir()] == ["here"]


def test_the_checkout_is_importable_from_anywhere(tmp_path: Path) -> None:
    done = under_wine("import winsock; print(winsock.BACKEND)", cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("ws2_32\n", "")


def test_environment_variables_are_handed_through_and_the_shared_folder_is_translated(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code = "import os; print(os.environ['WORD']); print(os.listdir(os.environ['WINSOCK_SHARED']))"
    done = under_wine(code, WORD="passed on", WINSOCK_SHARED=str(tmp_path))
    assert done.stdout == "passed on\n['file']\n"


def test_an_interrupt_arrives_as_control_c() -> None:
    code = "import time; print('up', flush=True)\ntry: time.sleep(60)\nexcept KeyboardInterrupt: raise SystemExit(3)"
    with subprocess.Popen([RUN, "python", "-c", code], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\r\n"
        process.send_signal(signal.SIGINT)
        assert process.wait() == 3


def test_without_an_environment_one_line_says_how_to_get_it(tmp_path: Path) -> None:
    done = under_wine("", WINSOCK_WINE=str(tmp_path))
    assert done.returncode == NOT_BUILT
    assert done.stderr == f"tests/wine: no current Windows Python in {tmp_path}; build it: tests/wine/build.py\n"
