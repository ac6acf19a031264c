"""Take the two pictures of the README from real runs, with Chromium.

python notes/pictures.py            both
python notes/pictures.py trace      only the page of winsock.trace
python notes/pictures.py chart      only the chart
python notes/pictures.py --out DIR  into another folder than notes/pictures

trace.png shows the page that `python -m winsock.trace picture --html` writes for the signal pair; chart.png is what the
demo of chart templates draws at the receiver. Chromium must be installed, and the extra `charts`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import conversations

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "notes" / "pictures"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# The size of the window in pixels. The picture has SCALE pixels for each, so that it is sharp, and so that it gets more
# of the README's table, whose columns share its width in proportion to the widths of their pictures.
WIDTH, HEIGHT, SCALE = 960, 600, 3


def trace(folder: Path) -> Path:
    """A picture of the page of the signal pair, with the details of the first call that received data.

    Errors: RuntimeError without Pillow, or as photograph.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise RuntimeError('Pillow is not installed: python -m pip install -e ".[charts]"') from error
    page = folder / "signal.html"
    conversations.draw("signal", page)
    picture = photograph(f"{page.as_uri()}#call=1.recv", folder)
    with Image.open(picture) as image:
        # The page has few colours; with a palette the file has half the size.
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(picture, optimize=True)
    return picture


def photograph(address: str, folder: Path) -> Path:
    """A picture of a page in Chromium, in light colours.

    Errors: RuntimeError without Chromium, or if it takes no picture.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise RuntimeError(f"Chromium is not installed; none of these is in PATH: {', '.join(BROWSERS)}")
    picture = folder / "picture.png"
    done = subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
            "--disable-background-networking", f"--user-data-dir={folder / 'profile'}",
            f"--window-size={WIDTH},{HEIGHT}", f"--force-device-scale-factor={SCALE}",
            "--virtual-time-budget=3000", f"--screenshot={picture}", address,
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )  # fmt: skip
    if done.returncode or not picture.exists():
        raise RuntimeError(f"{browser} took no picture of {address}:\n{done.stderr}")
    return picture


def chart(folder: Path) -> Path:
    """The chart that the receiver of a template draws."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "compat")])
    subprocess.run(
        [sys.executable, "-m", "demos", "tpl", "--out", str(folder), "--bars", "tests/data/EURUSD_H1.tsv"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path},
        check=True,
        timeout=100,
    )
    return folder / "client.png"


def size(picture: Path) -> tuple[int, int]:
    """The width and height of a PNG file, in pixels."""
    width, height = struct.unpack(">II", picture.read_bytes()[16:24])
    return width, height


TAKEN: dict[str, Callable[[Path], Path]] = {"trace": trace, "chart": chart}


def main() -> None:
    """Take the pictures that the command line names."""
    parser = argparse.ArgumentParser(description="Take the pictures of the README from real runs.")
    parser.add_argument("pictures", nargs="*", metavar="PICTURE", help=f"one of {', '.join(TAKEN)}; default: all")
    parser.add_argument("--out", type=Path, default=PICTURES, metavar="DIR", help="default: notes/pictures")
    options = parser.parse_args()
    for name in options.pictures:
        if name not in TAKEN:
            parser.error(f"unknown picture: {name!r}; choose from {', '.join(TAKEN)}")
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.pictures or TAKEN:
        # On Windows a file may stay locked for a moment after its process has ended.
        with TemporaryDirectory(prefix="picture-", ignore_cleanup_errors=True) as folder:
            target = options.out / f"{name}.png"
            try:
                shutil.copyfile(TAKEN[name](Path(folder)), target)
            except RuntimeError as error:
                parser.exit(1, f"{parser.prog}: error: {error}\n")
        width, height = size(target)
        print(f"{target}: {width} x {height} pixels, {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
