"""Pictures of charts: the pixels show the template's contents, and no template breaks the drawing."""

from __future__ import annotations

import math
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from terminal_kit import Bench, ticks
from tpl_kit import file_of

from demos.chartfeed.compare import same_templates, unequal_pixels
from demos.terminal.charts import canvas, drawing, layout
from demos.terminal.charts.drawing import PictureError, draw, draw_chart
from demos.terminal.charts.history import Bar
from demos.terminal.charts.template import Section, new_section, parse, to_bytes
from demos.terminal.mql import constants as c
from demos.terminal.mql.constants import PERIOD_H1

image = pytest.importorskip(
    "matplotlib.image", reason="matplotlib is not installed: python -m pip install -e '.[charts]'"
)

RED, LIME, MAGENTA = (255, 0, 0), (0, 255, 0), (255, 0, 255)

HOUR = 3_600_000


def wave(count: int = 150) -> list[Bar]:
    """Bars that go up and down between 1.09 and 1.11."""
    bars = []
    for number in range(count):
        first, last = (round(110_000 + 1000 * math.sin(place / 9)) for place in (number, number + 1))
        bars.append(Bar(number * HOUR, first, max(first, last) + 50, min(first, last) - 50, last, 4))
    return bars


def plain() -> Section:
    """A chart without grid, bid line and margin, in grey, so that added objects are visible."""
    document = layout.new_chart()
    grey = 0x808080
    keys = {"grid": 0, "bidline": 0, "shift": 0, "foreground_color": grey, "barup_color": grey, "bardown_color": grey}
    for key, value in {**keys, "bullcandle_color": grey, "bearcandle_color": grey}.items():
        layout.root(document).set(key, value)
    return document


def picture(folder: Path, document: Section, bars: list[Bar] | None = None):
    """The pixels, and the names of the parts that were not drawn."""
    path = folder / "chart.png"
    missing = draw(document, wave() if bars is None else bars, 5, PERIOD_H1, "EURUSD,H1", path)
    pixels = image.imread(path)
    return (pixels[:, :, :3] * 255).round().astype(int), missing


def has(pixels, color: tuple[int, int, int]):
    """The places where the picture has approximately this color; edges are smoothed."""
    return (abs(pixels - list(color)).max(axis=2) < 60).nonzero()


def test_a_picture_has_its_size_and_the_background_of_the_template(tmp_path):
    document = plain()
    layout.root(document).set("background_color", 0x400020)
    pixels, missing = picture(tmp_path, document)
    assert pixels.shape == (canvas.HEIGHT, canvas.WIDTH, 3)
    assert list(pixels[2, 2]) == [0x20, 0x00, 0x40]
    assert missing == set()


def test_the_same_template_and_bars_give_the_same_file(tmp_path):
    document = plain()
    layout.add_moving_average(document, 20, 1, 255)
    for name in ("1", "2"):
        (tmp_path / name).mkdir()
        picture(tmp_path / name, document)
    assert (tmp_path / "1" / "chart.png").read_bytes() == (tmp_path / "2" / "chart.png").read_bytes()
    assert unequal_pixels(tmp_path / "1" / "chart.png", tmp_path / "2" / "chart.png") == 0
    layout.add_object(document, c.OBJ_HLINE, "a", [(0, 1.1)])
    picture(tmp_path / "2", document)
    assert unequal_pixels(tmp_path / "1" / "chart.png", tmp_path / "2" / "chart.png") > 500


@pytest.mark.parametrize("count", [1, 5, 40, 150])
def test_the_times_below_the_bars_do_not_overlap(tmp_path, count):
    pixels, _ = picture(tmp_path, plain(), wave(count))
    # The last rows with the times: the columns in which there is text, and the gaps between the times.
    columns = sorted(set(has(pixels[canvas.HEIGHT - 36 :], (128, 128, 128))[1]))
    assert columns
    begins = [0, *(n for n in range(1, len(columns)) if columns[n] - columns[n - 1] > 8), len(columns)]
    widths = [columns[end - 1] - columns[begin] for begin, end in pairwise(begins)]
    assert max(widths) < 110


def test_pictures_of_other_sizes_differ_in_all_their_pixels(tmp_path):
    import numpy

    picture(tmp_path, plain())
    image.imsave(tmp_path / "small.png", numpy.zeros((5, 5, 4)))
    assert unequal_pixels(tmp_path / "chart.png", tmp_path / "small.png") == canvas.WIDTH * canvas.HEIGHT


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_bars_candles_and_a_line_have_the_colors_of_the_template(tmp_path, mode):
    document = plain()
    layout.root(document).set("mode", mode)
    for key in ("barup_color", "bullcandle_color", "chartline_color"):
        layout.root(document).set(key, 0x00FF00)
    rows, columns = has(picture(tmp_path, document)[0], LIME)
    assert len(rows) > 500
    assert columns.max() - columns.min() > 600


def test_a_falling_bar_has_its_own_colors(tmp_path):
    document = plain()
    layout.root(document).set("bearcandle_color", 0x0000FF)
    assert len(has(picture(tmp_path, document)[0], RED)[0]) > 1000


def test_a_horizontal_line_is_at_its_price(tmp_path):
    heights = []
    for price in (1.095, 1.105):
        document = plain()
        layout.add_object(document, c.OBJ_HLINE, "a", [(0, price)], color=0xFF00FF, descr="level")
        rows, columns = has(picture(tmp_path, document)[0], MAGENTA)
        assert columns.max() - columns.min() > 1000
        heights.append(sorted(rows)[len(rows) // 2])
    # Up to 5 % beyond the bars' range of some 0.0211, over 644 pixels.
    assert heights[0] - heights[1] == pytest.approx(0.01 / (0.0211 * 1.1) * 644, rel=0.05)


def test_a_vertical_line_is_at_its_time(tmp_path):
    places = []
    for hour in (100, 140):
        document = plain()
        layout.add_object(document, c.OBJ_VLINE, "a", [(hour * 3600, 0.0)], color=0xFF00FF)
        rows, columns = has(picture(tmp_path, document)[0], MAGENTA)
        assert rows.max() - rows.min() > 600
        assert columns.max() - columns.min() <= 2
        places.append(columns.min())
    assert places[1] - places[0] == pytest.approx(40 * 8, abs=8)


def test_a_trend_line_ends_at_its_points_unless_it_is_a_ray(tmp_path):
    widths = []
    for ray in ({}, {"ray2": 1}, {"ray1": 1}):
        document = plain()
        points = [(60 * 3600, 1.0995), (90 * 3600, 1.1005)]
        layout.add_object(document, c.OBJ_TREND, "a", points, color=0xFF00FF, width=2, **ray)
        columns = has(picture(tmp_path, document)[0], MAGENTA)[1]
        widths.append((columns.min(), columns.max()))
    plain_line, right, left = widths
    assert plain_line[1] - plain_line[0] == pytest.approx(30 * 8, abs=12)
    assert right[0] == plain_line[0]
    assert right[1] > plain_line[1] + 300
    assert left[0] < plain_line[0] - 200
    assert left[1] == plain_line[1]


def test_a_moving_average_is_drawn_with_its_shift_style_and_price(tmp_path):
    seen = []
    for keys in ({}, {"shift": 10}, {"style": 2}, {"width": 4}):
        document = plain()
        layout.add_moving_average(document, 20, 0, 0xFF00FF)
        indicator = list(layout.main_window(document).sections("indicator"))[-1]
        graph = next(indicator.sections("graph"))
        for key, value in keys.items():
            graph.set(key, value)
        seen.append(has(picture(tmp_path, document)[0], MAGENTA)[1])
    first, shifted, dotted, wide = seen
    assert len(first) > 900
    assert shifted.min() - first.min() == pytest.approx(80, abs=8)
    assert len(dotted) < len(first) < len(wide)


def test_an_average_over_more_bars_than_exist_is_not_drawn(tmp_path):
    for count in (0, 500, 10**9):
        document = plain()
        layout.add_moving_average(document, count, 0, 0xFF00FF)
        assert len(has(picture(tmp_path, document)[0], MAGENTA)[0]) == 0


def test_levels_rectangles_texts_and_labels_are_drawn(tmp_path):
    points = [(60 * 3600, 1.095), (100 * 3600, 1.105)]
    for kind, keys in (
        (c.OBJ_FIBO, {}),
        (c.OBJ_RECTANGLE, {}),
        (c.OBJ_TEXT, {"descr": "TEXT $x_1$ {", "fontsz": 20}),
        (c.OBJ_LABEL, {"descr": "LABEL", "fontsz": 20, "pos_x": 300, "pos_y": 300, "refpoint": 3}),
    ):
        document = plain()
        layout.add_object(document, kind, "a", points, color=0xFF00FF, **keys)
        pixels, missing = picture(tmp_path, document)
        assert len(has(pixels, MAGENTA)[0]) > 100, kind
        assert missing == set()


def test_an_objects_own_fibonacci_levels_replace_the_default_levels(tmp_path):
    document = plain()
    layout.add_object(document, c.OBJ_FIBO, "a", [(60 * 3600, 1.095), (60 * 3600, 1.105)], color=0xFF00FF)
    usual = len(set(has(picture(tmp_path, document)[0], MAGENTA)[0]))
    [fibo] = layout.objects(document)
    fibo.items += [new_section("level", ("level", "0.5")), new_section("level", ("level", "what"))]
    assert len(set(has(picture(tmp_path, document)[0], MAGENTA)[0])) != usual


def test_a_fixed_scale_is_used(tmp_path):
    document = plain()
    for key, value in {"scale_fix": 1, "scale_fixed_min": "1.2", "scale_fixed_max": "1.3"}.items():
        layout.root(document).set(key, value)
    layout.add_object(document, c.OBJ_HLINE, "a", [(0, 1.25)], color=0xFF00FF)
    rows, _ = has(picture(tmp_path, document)[0], MAGENTA)
    assert sorted(rows)[len(rows) // 2] == pytest.approx(14 + 644 / 2, abs=4)


def test_grid_and_bid_line_are_drawn_when_the_template_has_them(tmp_path):
    document = plain()
    for key, value in {"grid": 1, "grid_color": 0xFF00FF, "bidline": 1, "bidline_color": 0x0000FF}.items():
        layout.root(document).set(key, value)
    pixels, _ = picture(tmp_path, document)
    assert len(has(pixels, RED)[0]) > 900
    # The grid is thin and dotted, so its colour is mixed with the background's.
    assert ((pixels[:, :, 0] > 40) & (pixels[:, :, 2] > 40) & (pixels[:, :, 1] < 20)).sum() > 500


def test_parts_that_are_not_drawn_are_named(tmp_path):
    document = plain()
    window = layout.main_window(document)
    window.items.append(new_section("indicator", ("name", "Ichimoku")))
    layout.add_object(document, 31, "an arrow", [(0, 1.1)])
    layout.root(document).items.append(new_section("window"))
    assert picture(tmp_path, document)[1] == {"indicator Ichimoku", "objects of type 31", "windows below the main one"}


def test_only_the_first_of_very_many_objects_are_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr("demos.terminal.charts.drawing_objects._MAX_OBJECTS", 2)
    document = plain()
    for number in range(5):
        layout.add_object(document, c.OBJ_HLINE, f"{number}", [(0, 1.1)])
    assert picture(tmp_path, document)[1] == {"3 more objects"}


HOSTILE = """\
<chart>
scale=1e300
shift=1
shift_size=-5
mode=x
background_color=-1
foreground_color=99999999999
barup_color=nan
scale_fix=1
scale_fixed_min=inf
scale_fixed_max=5
<window>
<indicator>
name=Moving Average
period=1e9
</indicator>
<indicator>
name=Moving Average
period=5
method=77
apply=99
<graph>
width=1e6
style=-4
shift=5
</graph>
</indicator>
<object>
type=101
date1=99999999999999
value1=nan
descr=\u6f22\x07 $\\frac{
fontsz=1e9
</object>
<object>
name=without a type
date1=-5
</object>
<object>
type=2
date1=x
</object>
<object>
type=12
width=-1
</object>
</window>
</chart>
"""


def test_no_value_of_a_template_breaks_the_drawing(tmp_path):
    pixels, _ = picture(tmp_path, parse(file_of(HOSTILE.replace("\n", "\r\n"))))
    assert pixels.shape == (canvas.HEIGHT, canvas.WIDTH, 3)


def test_one_flat_bar_can_be_drawn(tmp_path):
    pixels, _ = picture(tmp_path, plain(), [Bar(0, 5, 5, 5, 5, 1)])
    assert len(has(pixels, (128, 128, 128))[0]) > 100


def test_without_bars_there_is_no_picture(tmp_path):
    with pytest.raises(PictureError, match="no bars"):
        picture(tmp_path, plain(), [])


def test_without_matplotlib_the_error_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert "[charts]" in str(drawing.problem())
    with pytest.raises(PictureError, match="matplotlib"):
        picture(tmp_path, plain())


def test_a_picture_that_cannot_be_written_is_a_PictureError(tmp_path):
    with pytest.raises(PictureError, match="nowhere"):
        draw(plain(), wave(), 5, PERIOD_H1, "EURUSD,H1", tmp_path / "nowhere" / "chart.png")


def test_the_log_names_the_parts_of_a_chart_that_are_not_drawn(tmp_path):
    bench = Bench(tmp_path, ticks(110_000, 110_100))
    chart = bench.attach("def OnInit(): EventSetTimer(1)")
    layout.add_object(bench.terminal.charts.template(chart.id), 31, "arrow", [(0, 1.1)])
    bench.terminal.post("picture /nowhere/at/all.png")
    # The second picture replaces the first one.
    bench.terminal.post(f"picture {tmp_path / 'a.png'}")
    bench.terminal.post(f"picture {tmp_path / 'a.png'}")
    bench.run(3)
    assert bench.answers[0].startswith("error: ")
    assert bench.answers[1:] == [f"done: drew {tmp_path / 'a.png'}"] * 2
    draw_chart(bench.terminal, chart.id, tmp_path / "b.png")
    assert unequal_pixels(tmp_path / "a.png", tmp_path / "b.png") > 0
    assert any("b.png: EURUSD,H1, 1 bars" in line for line in bench.log)
    assert any("not drawn: objects of type 31" in line for line in bench.log)


def test_templates_are_compared_without_their_programs_and_identifiers(tmp_path):
    paths = [tmp_path / "1.tpl", tmp_path / "2.tpl"]
    for path, name in zip(paths, ("tpl_server", ""), strict=True):
        document = plain()
        layout.set_expert(document, name, {"Port": 1})
        layout.root(document).set("id", name or 7)
        path.write_bytes(to_bytes(document))
    assert same_templates(*paths)
    document.codec, document.mark = "cp1252", b""
    paths[1].write_bytes(to_bytes(document))
    assert same_templates(*paths)
    layout.root(document).set("scale", 1)
    paths[1].write_bytes(to_bytes(document))
    assert not same_templates(*paths)


@pytest.mark.parametrize("text", ["\ud800", "\x01\x1b[31m\u202e\0"])
def test_a_text_that_a_font_cannot_show_is_drawn_escaped(tmp_path, text):
    document = plain()
    layout.add_object(document, c.OBJ_LABEL, "x", [], descr=text, refpoint=0, pos_x=100, pos_y=100, color=0x00FF00)
    pixels, _ = picture(tmp_path, document)
    assert len(has(pixels, LIME)[0]) > 20


def test_a_text_far_outside_the_picture_is_not_drawn(tmp_path):
    document = plain()
    names = ("date1", "value1", "date2", "value2", "pos_x", "pos_y")
    for kind in (c.OBJ_LABEL, c.OBJ_TEXT, c.OBJ_HLINE, c.OBJ_FIBO):
        for position in ("1e11", "-1e11", "1e6", "-1e6", "40000", "-40000"):
            keys = dict.fromkeys(names, position)
            section = new_section("object", ("type", kind), ("name", "x"), ("descr", "x" * 200), *keys.items())
            layout.main_window(document).items.append(section)
    pixels, missing = picture(tmp_path, document)
    assert pixels.size
    assert missing == set()
