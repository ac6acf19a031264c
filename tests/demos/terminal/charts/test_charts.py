"""The terminal's charts: MQL5's functions for them, commands, files, history and moving averages."""

from __future__ import annotations

from datetime import datetime

import pytest
from terminal_kit import Bench, ticks

from demos.terminal.charts import layout, operations
from demos.terminal.charts.averages import EXPONENTIAL, PRICES, SIMPLE, SMOOTHED, WEIGHTED, moving_average
from demos.terminal.charts.history import Bar, History, begin_of_bar, length_of
from demos.terminal.charts.template import parse, to_bytes
from demos.terminal.interfaces import OutputError, Tick
from demos.terminal.mql.constants import PERIOD_D1, PERIOD_H4, PERIOD_M1, PERIOD_M5, PERIOD_MN1, PERIOD_W1
from demos.terminal.mql.conversion import milliseconds_of
from demos.terminal.runtime.files import DataFolder


def bench(folder, quotes=()) -> Bench:
    made = Bench(folder, quotes)
    made.terminal.data = DataFolder(folder / "data")
    return made


def run(folder, source: str, quotes=(), duration: float = 5.0, **inputs: object) -> Bench:
    made = bench(folder, quotes)
    made.attach(source, **inputs)
    made.run(duration)
    return made


def test_a_chart_shows_another_symbol_and_period(tmp_path):
    made = run(
        tmp_path,
        """
        def OnStart():
            Print(ChartSymbol(), ChartPeriod(), ChartID())
            Print(ChartSetSymbolPeriod(0, "GBPUSD", PERIOD_M1), Symbol(), Period())
            Print(ChartSetSymbolPeriod(0, "", PERIOD_CURRENT), Symbol(), Period())
            Print(ChartSetSymbolPeriod(0, "XAUUSD", PERIOD_M1), ChartSetSymbolPeriod(ChartID(), "EURUSD", 7), Symbol())
            ChartRedraw()
        """,
    )
    assert made.texts() == ["EURUSD163851", "trueGBPUSD1", "trueGBPUSD1", "falsefalseGBPUSD"]


def test_another_period_restarts_an_expert_which_keeps_its_globals(tmp_path):
    made = run(
        tmp_path,
        """
        count = 0
        def OnInit():
            global count
            count += 1
            Print("init ", count, " ", Period())
            EventSetTimer(1)
        def OnDeinit(reason): Print("deinit ", reason)
        def OnTimer():
            if count == 1: ChartSetSymbolPeriod(0, Symbol(), PERIOD_M5)
        def OnChartEvent(id, lparam, dparam, sparam): Print("event ", id)
        """,
        duration=3.0,
    )
    assert made.texts() == ["init 1 16385", "deinit 3", "init 2 5", "event 9", "deinit 9"]


def test_an_expert_whose_restart_fails_is_removed(tmp_path):
    made = run(
        tmp_path,
        """
        def OnInit():
            EventSetTimer(1)
            return INIT_SUCCEEDED if Period() == PERIOD_H1 else INIT_FAILED
        def OnTimer(): ChartSetSymbolPeriod(0, Symbol(), PERIOD_M5)
        def OnDeinit(reason): Print("deinit ", reason)
        """,
    )
    assert made.texts()[:1] == ["deinit 3"]
    assert made.texts()[-1] == "deinit 8"


def test_creating_changing_and_deleting_objects_queues_chart_events(tmp_path):
    made = run(
        tmp_path,
        """
        from datetime import datetime
        def OnInit(): EventSetTimer(1)
        def OnTimer():
            EventKillTimer()
            time = datetime(2017, 4, 19)
            Print(ObjectCreate(0, "a", OBJ_TREND, 0, time, 1.1, time, 1.2))
            Print(ObjectCreate(0, "a", OBJ_TREND, 0, time, 1.1))
            Print(ObjectCreate(0, "b", OBJ_TREND, 1, time, 1.1), ObjectFind(0, "a"), ObjectFind(0, "b"))
            Print(ObjectSetInteger(0, "a", OBJPROP_COLOR, 255), ObjectSetInteger(0, "a", OBJPROP_COLOR, 255))
            Print(ObjectSetInteger(0, "a", OBJPROP_TIME, datetime(2017, 4, 20), 1))
            Print(ObjectSetDouble(0, "a", OBJPROP_PRICE, 1.3, 1), ObjectSetDouble(0, "b", OBJPROP_PRICE, 1.3))
            Print(ObjectSetString(0, "a", OBJPROP_TEXT, "words"), ObjectSetString(0, "a", OBJPROP_TEXT, "two\\nlines"))
            Print(ChartSaveTemplate(0, "kept"), ObjectDelete(0, "a"), ObjectDelete(0, "a"))
        def OnChartEvent(id, lparam, dparam, sparam): Print(id, sparam)
        """,
    )
    assert made.texts() == [
        "true",
        "false",
        "false0-1",
        "truetrue",
        "true",
        "truefalse",
        "truefalse",
        "truetruefalse",
        *["7a", "8a", "8a", "8a", "8a", "6a"],
    ]
    saved = parse((tmp_path / "data" / "Profiles" / "Templates" / "kept.tpl").read_bytes())
    found = layout.find_object(saved, "a")
    keys = ("type", "color", "date1", "date2", "value1", "value2", "descr")
    assert [found.get(key) for key in keys] == ["2", "255", "1492560000", "1492646400", "1.100000", "1.300000", "words"]


@pytest.mark.parametrize(
    "call",
    [
        "ObjectSetInteger(0, 'a', 12345, 1)",
        "ObjectSetDouble(0, 'a', OBJPROP_COLOR, 1.0)",
        "ObjectSetString(0, 'a', OBJPROP_COLOR, 'x')",
        "ChartSymbol(7)",
        "TerminalInfoString(99)",
        "FileOpen('a', FILE_READ)",
    ],
)
def test_unsupported_arguments_raise_ValueError(tmp_path, call):
    made = bench(tmp_path)
    made.attach(f"def OnStart(): {call}")
    with pytest.raises(ValueError, match=r"property|own chart|FILE_BIN"):
        made.run()


def test_EventChartCustom_queues_an_event_for_the_program(tmp_path):
    made = run(
        tmp_path,
        """
        def OnInit(): EventChartCustom(0, 5, 7, 0.5, "hello")
        def OnChartEvent(id, lparam, dparam, sparam):
            Print(id - CHARTEVENT_CUSTOM, " ", lparam, " ", dparam, " ", sparam)
        """,
    )
    assert made.texts() == ["5 7 0.5 hello"]


def test_a_template_is_saved_and_applied_without_starting_its_program(tmp_path):
    made = run(
        tmp_path,
        """
        from typing import Annotated
        text: Annotated[str, Input("")] = "a value"
        def OnInit(): EventSetTimer(1)
        def OnTimer():
            EventKillTimer()
            Print(ChartSaveTemplate(0, "one.tpl"), ChartApplyTemplate(0, "one"), ChartApplyTemplate(0, "none"))
            Print(ChartSaveTemplate(0, "../../out"), ChartApplyTemplate(0, "\\\\..\\\\out"))
            Print(ChartApplyTemplate(0, "\\\\Files\\\\x"))
        """,
    )
    assert made.texts() == ["truetruefalse", "falsefalse", "false"]
    saved = (tmp_path / "data" / "Profiles" / "Templates" / "one.tpl").read_bytes().decode("utf-16")
    assert "<expert>\r\nname=probe\r\npath=Experts\\probe.ex5\r\nexpertmode=5\r\n<inputs>\r\ntext=a value\r\n" in saved
    assert not list(layout.root(made.terminal.charts.template(1)).sections("expert"))


@pytest.mark.parametrize("codec", ["cp1252", "utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "utf-16"])
def test_an_applied_template_is_saved_in_its_own_encoding(tmp_path, codec):
    folder = DataFolder(tmp_path / "data")
    text = "<chart>\nsymbol={}\nperiod={}\ndigits={}\ncomment=\u00e9\n<window>\nheight=1\n</window>\n</chart>\n"
    (folder.templates / "old.tpl").write_bytes(text.format("GBPUSD", 240, 3).encode(codec))
    made = run(tmp_path, "def OnStart(): Print(ChartApplyTemplate(0, 'old'), ChartSaveTemplate(0, 'new'))")
    assert made.texts() == ["truetrue"]
    saved = (folder.templates / "new.tpl").read_bytes()
    assert saved == text.format("EURUSD", 60, 5).encode(codec)


def test_a_file_that_is_not_a_template_is_not_applied(tmp_path):
    folder = DataFolder(tmp_path / "data")
    (folder.templates / "bad.tpl").write_bytes(b"<chart>")
    made = run(tmp_path, "def OnStart(): Print(ChartApplyTemplate(0, 'bad'))")
    assert made.texts() == ["false"]


def test_without_a_data_folder_nothing_is_saved_or_opened(tmp_path):
    made = Bench(tmp_path)
    made.attach("""
    def OnStart():
        Print(ChartSaveTemplate(0, "a"), ChartApplyTemplate(0, "a"), FileOpen("a", FILE_BIN | FILE_WRITE))
        Print("[", TerminalInfoString(TERMINAL_PATH), "]", FileIsExist("a"), FileMove("a", 0, "b", 0), FileDelete("a"))
    """)
    made.run()
    assert made.texts() == ["falsefalse-1", "[]falsefalsefalse"]


def test_a_data_folder_that_cannot_be_created_is_an_OutputError(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="file"):
        DataFolder(tmp_path / "file")


def test_files_are_written_read_moved_and_deleted_in_the_data_folder(tmp_path):
    made = run(
        tmp_path,
        """
        def OnStart():
            h = FileOpen("sub\\\\a.bin", FILE_WRITE | FILE_BIN | FILE_SHARE_READ)
            other = FileOpen("b.bin", FILE_WRITE | FILE_BIN)
            Print(h, other, " ", FileWriteArray(h, b"abcdef", 2), FileWriteArray(h, b"abcdef", 0, 1))
            Print(FileClose(h), FileClose(other))
            h = FileOpen("sub/a.bin", FILE_READ | FILE_BIN)
            Print(FileReadArray(h), FileClose(h))
            Print(FileMove("sub\\\\a.bin", 0, "b.bin", 0), FileMove("sub\\\\a.bin", 0, "b.bin", FILE_REWRITE))
            Print(FileIsExist("sub\\\\a.bin"), FileIsExist("b.bin"), FileDelete("b.bin"), FileDelete("b.bin"))
            Print(FileOpen("nothing", FILE_READ | FILE_BIN), FileMove("nothing", 0, "x", 0))
            Print(FileOpen("sub", FILE_WRITE | FILE_BIN))
            Print(TerminalInfoString(TERMINAL_PATH) == TerminalInfoString(TERMINAL_DATA_PATH))
            FileOpen("left open", FILE_WRITE | FILE_BIN)
        """,
    )
    expected = ["12 41", "truetrue", "b'cdefa'true", "falsetrue", "falsetruetruefalse", "-1false", "-1", "true"]
    assert made.texts() == expected


@pytest.mark.parametrize(
    "name",
    [
        "../out",
        "..\\out",
        "a/../../out",
        "/etc/passwd",
        "C:\\x",
        "",
        "a//b",
        ".",
        "NUL",
        "com1.txt",
        "a:b",
        "a\0b",
        "x\\",
    ],
)
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    folder = DataFolder(tmp_path)
    assert folder.file(name) is None
    assert folder.template_to_save(f"..\\{name}") is None


@pytest.mark.posix_only(reason="symbolic links need a privilege on Windows")
def test_no_link_leads_out_of_the_folder(tmp_path):
    folder = DataFolder(tmp_path / "data")
    (folder.files / "link").symlink_to(tmp_path)
    assert folder.file("link\\file") is None


def test_a_failed_write_is_reported_by_FileWriteArray_and_FileClose(tmp_path):
    class Full:
        def write(self, data: bytes) -> int:
            raise OSError("full")

        def close(self) -> None:
            raise OSError("full")

    made = bench(tmp_path)
    chart = made.attach("def OnStart(): Print(FileWriteArray(1, b'x'), FileClose(1))")
    chart.files[1] = Full()
    made.run()
    assert made.texts() == ["0false"]


def test_a_template_that_cannot_be_written_is_not_saved(tmp_path):
    made = bench(tmp_path)
    (tmp_path / "data" / "Profiles" / "Templates" / "a.tpl").mkdir()
    made.attach("def OnStart(): Print(ChartSaveTemplate(0, 'a'))")
    made.run()
    assert made.texts() == ["false"]


def test_unknown_parts_of_a_template_are_kept(tmp_path):
    made = bench(tmp_path)
    chart = made.attach("def OnInit(): pass")
    text = "<chart>\r\nid=7\r\nunknown=value\r\n<future>\r\nx\r\n</future>\r\n</chart>\r\n\0"
    operations.apply_template(made.terminal, chart.id, parse(b"\xff\xfe" + text.encode("utf-16-le")))
    saved = to_bytes(operations.template_of(made.terminal, chart.id)).decode("utf-16")
    assert "unknown=value\r\n" in saved
    assert "<future>\r\nx\r\n</future>\r\n" in saved
    assert "\0" not in saved
    made.account.close()


def commands(folder, *lines: str, quotes=None) -> Bench:
    made = bench(folder, ticks(110_000, 110_100, 110_050) if quotes is None else quotes)
    made.attach("""
    def OnInit(): EventSetTimer(1)
    def OnChartEvent(id, lparam, dparam, sparam): Print(id, sparam)
    """)
    for tick in ticks(109_000, 109_500) if quotes is None else ():
        made.terminal.take_quote(tick)
    for line in lines:
        made.terminal.post(line)
    made.run(2.5)
    return made


def test_commands_change_the_chart_and_queue_chart_events(tmp_path):
    file = tmp_path / "a chart.tpl"
    made = commands(
        tmp_path,
        "average 20 exponential red",
        "average 5",
        "line 1.1 lime",
        "line 1.2",
        "trend 1 1.1 0 1.2",
        "fibo 1 1.1 0 1.2",
        "text 0 1.1 two words",
        "erase Horizontal Line 1",
        f"save {file}",
        "erase averages",
        f"template {file}",
        "chart GBPUSD M1",
        "help",
    )
    *answers, chart = [each for each in made.answers if each.startswith(("done", "error"))]
    assert [each.split(" ")[0] for each in answers] == ["done:"] * 11
    made_objects = ["Horizontal Line 1", "Horizontal Line 2", "Trendline 1", "Fibo 1", "Text 1"]
    assert answers[2:7] == [f"done: {name}" for name in made_objects]
    assert chart == "done: GBPUSD M1"
    assert made.texts()[:8] == ["9", "9", *(f"7{name}" for name in made_objects), "6Horizontal Line 1"]
    template = made.terminal.charts.template(1)
    assert [each.get("name") for each in layout.objects(template)] == made_objects[1:]
    assert len([each for each in layout.main_window(template).sections("indicator") if each.get("period")]) == 2
    assert "average COUNT" in "\n".join(made.answers)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("chart XAUUSD M1", "the market has no symbol XAUUSD"),
        ("chart EURUSD M7", "unknown period 'M7'; periods: M1, M2"),
        ("chart EURUSD", "chart needs"),
        ("average", "average needs"),
        ("average x", "average needs"),
        ("average 20 quick", "average needs"),
        ("average 0", "a count from 1 to 1000, not 0"),
        ("line", "line needs"),
        ("line 1.1 pink", "line needs"),
        ("line x", "invalid price: 'x'"),
        ("line -1", "invalid price: '-1'"),
        ("line nan", "invalid price: 'nan'"),
        ("trend 1 1.1", "trend needs"),
        ("trend x 1.1 0 1.2", "invalid number of bars: 'x'"),
        ("fibo 1", "fibo needs"),
        ("text 0 1.1", "text needs"),
        ("text 0 1.1 a\0b", "without line ends and NUL"),
        ("erase nothing", "the chart has no object 'nothing'"),
        ("erase", "the chart has no object ''"),
        ("erase averages", "the chart has no moving average"),
        ("template", "the name of a file is missing"),
        ("template /nowhere/at/all.tpl", "No such file"),
        ("save /nowhere/at/all.tpl", "No such file"),
        ("save a\0b", "the name of a file is missing"),
        ("picture", "the name of a file is missing"),
    ],
)
def test_an_invalid_command_is_answered_with_its_error_and_changes_nothing(tmp_path, line, words):
    made = commands(tmp_path, line)
    [answer] = made.answers
    assert answer.startswith("error: ")
    assert words in answer
    assert made.texts() == []


def test_a_file_that_is_not_a_template_is_rejected_with_the_reason(tmp_path):
    (tmp_path / "bad.tpl").write_bytes(b"\xff\xfe")
    made = commands(tmp_path, f"template {tmp_path / 'bad.tpl'}")
    assert "has no <chart>" in made.answers[0]


def test_a_point_before_the_first_bar_is_computed_with_the_period(tmp_path):
    made = commands(tmp_path, "text 3 1.1 early")
    [text] = layout.objects(made.terminal.charts.template(1))
    assert int(text.get("date1")) == -3 * 3600


def test_a_point_needs_bars(tmp_path):
    made = commands(tmp_path, "text 0 1.1 words", quotes=[Tick("GBPUSD", 0, 1, 2)])
    assert made.answers == ["error: there are no bars of EURUSD yet"]


def test_bars_of_any_period_are_built_from_minutes():
    history = History()
    for minute, bid in enumerate((10, 30, 20, 5, 15, 40)):
        for second, step in ((0, 0), (30, 1)):
            history.take(Tick("A", (60 * minute + second) * 1000, bid + step, bid + step + 1))
    assert history.bars("A", PERIOD_M1, 2) == [Bar(240_000, 15, 16, 15, 16, 2), Bar(300_000, 40, 41, 40, 41, 2)]
    assert history.bars("A", PERIOD_M5, 9) == [Bar(0, 10, 31, 5, 16, 10), Bar(300_000, 40, 41, 40, 41, 2)]
    assert history.bars("B", PERIOD_M1, 9) == []


def test_the_history_is_bounded():
    history = History(3)
    for minute in range(10):
        history.take(Tick("A", 60_000 * minute, minute, minute))
    assert [bar.open for bar in history.bars("A", PERIOD_M1, 100)] == [7, 8, 9]


@pytest.mark.parametrize(
    ("period", "begin"),
    [
        (PERIOD_M5, datetime(2017, 4, 19, 13, 35)),
        (PERIOD_H4, datetime(2017, 4, 19, 12)),
        (PERIOD_D1, datetime(2017, 4, 19)),
        (PERIOD_W1, datetime(2017, 4, 16)),
        (PERIOD_MN1, datetime(2017, 4, 1)),
    ],
)
def test_a_bar_begins_at_the_start_of_its_period(period, begin):
    moment = milliseconds_of(datetime(2017, 4, 19, 13, 37, 42))
    assert begin_of_bar(moment, period) == milliseconds_of(begin)
    assert begin_of_bar(milliseconds_of(begin), period) == milliseconds_of(begin)


def test_periods_have_lengths():
    lengths = [length_of(period) // 60_000 for period in (PERIOD_M5, PERIOD_H4, PERIOD_D1, PERIOD_W1, PERIOD_MN1)]
    assert lengths == [5, 240, 1440, 10080, 43200]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (SIMPLE, [None, None, 2.0, 3.0, 4.0]),
        (EXPONENTIAL, [None, None, 2.0, 3.0, 4.0]),
        (SMOOTHED, [None, None, 2.0, 8 / 3, 31 / 9]),
        (WEIGHTED, [None, None, 14 / 6, 20 / 6, 26 / 6]),
        (99, [None, None, 2.0, 3.0, 4.0]),
    ],
)
def test_each_method_gives_its_moving_average(method, expected):
    assert moving_average([1, 2, 3, 4, 5], 3, method) == [each and pytest.approx(each) for each in expected]


def test_a_moving_average_of_more_values_than_exist_is_None():
    assert moving_average([1, 2], 3, SIMPLE) == [None, None]
    assert moving_average([1, 2], 0, SIMPLE) == [None, None]
    assert moving_average([5, 7], 1, WEIGHTED) == [5, 7]


def test_each_number_of_an_applied_price_selects_its_price():
    bar = Bar(0, 10, 40, 20, 30, 1)
    assert [PRICES[number](bar) for number in range(1, 8)] == [30, 10, 40, 20, 30, 30, 30]


def test_commands_are_executed_while_a_script_sleeps(tmp_path):
    made = bench(tmp_path)
    made.attach("""
    def OnStart():
        Sleep(10**9)
        Print("awake")
    """)
    made.terminal.post("line 1.1")
    made.terminal.post("quit")
    made.run()
    assert made.answers == ["done: Horizontal Line 1"]
    assert made.texts() == ["awake"]


@pytest.mark.parametrize(
    ("command", "content", "kind"),
    [
        ("picture", b"<chart>\r\n</chart>\r\n", "a PNG file"),
        ("picture", b"SQLite format 3\0", "a PNG file"),
        ("picture", b"<DATE>\t<TIME>\t<BID>\r\n", "a PNG file"),
        ("save", b"SQLite format 3\0", "a template"),
        ("save", b"<DATE>\t<TIME>\t<BID>\r\n", "a template"),
        ("save", b"\x89PNG\r\n\x1a\n", "a template"),
    ],
)
def test_a_command_does_not_replace_a_file_of_another_kind(tmp_path, command, content, kind):
    file = tmp_path / "input"
    file.write_bytes(content)
    link = tmp_path / "link"
    link.hardlink_to(file)
    for path in (file, link):
        made = commands(tmp_path, f"{command} {path}")
        assert made.answers == [f"error: {path} is not {kind} and would be overwritten; use another file"]
        assert path.read_bytes() == content


def test_save_replaces_a_template_and_an_empty_file(tmp_path):
    for content in (b"<chart>\r\n</chart>\r\n", b""):
        (tmp_path / "a.tpl").write_bytes(content)
        made = commands(tmp_path, f"save {tmp_path / 'a.tpl'}")
        assert made.answers == [f"done: saved {tmp_path / 'a.tpl'}"]
