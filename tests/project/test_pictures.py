"""notes/pictures.py takes the pictures of the README from real runs."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

from browser_kit import NEEDS_BROWSER

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "notes" / "pictures"


def take(*arguments: str | Path, modules: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "notes" / "pictures.py", *arguments],
        env=os.environ | {"PYTHONPATH": modules},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip


def size(picture: Path) -> tuple[int, ...]:
    data = picture.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", data[16:24])


def test_the_pictures_of_the_readme_are_small_enough_for_a_page() -> None:
    shown = (ROOT / "README.md").read_text(encoding="utf-8")
    pictures = sorted(PICTURES.glob("*.png"))
    assert [picture.name for picture in pictures] == ["chart.png", "trace.png"]
    for picture in pictures:
        assert f"(notes/pictures/{picture.name})" in shown
        assert size(picture)[0] >= 1000
        assert picture.stat().st_size < 400_000
    # The columns of the README's table have widths in proportion to their pictures.
    chart, trace = (size(picture)[0] for picture in pictures)
    assert trace >= 2 * chart


def test_an_unknown_picture_is_an_error_that_names_the_pictures() -> None:
    done = take("map")
    assert done.returncode == 2
    assert "unknown picture: 'map'; choose from trace, chart" in done.stderr


def test_a_missing_pillow_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "PIL.py").write_text("raise ImportError\n", encoding="ascii")
    done = take("trace", "--out", tmp_path, modules=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == ('pictures.py: error: Pillow is not installed: python -m pip install -e ".[charts]"\n')
    assert not (tmp_path / "trace.png").exists()


class TestWithABrowser:
    pytestmark = NEEDS_BROWSER

    def test_a_picture_shows_the_page_of_a_real_run(self, tmp_path: Path) -> None:
        done = take("trace", "--out", tmp_path)
        assert done.returncode == 0, done.stderr
        assert size(tmp_path / "trace.png") == (2880, 1800)
        # An empty page would be much smaller.
        assert (tmp_path / "trace.png").stat().st_size > 30_000
