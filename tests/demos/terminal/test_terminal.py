"""The terminal: which event function runs, when, and for which chart."""

from __future__ import annotations

import json
from contextlib import closing

import pytest
from terminal_kit import EURUSD, FOLLOWER, GBPUSD, Bench, ticks

from demos.registry import find_program
from demos.terminal import PERIOD_M15
from demos.terminal.interfaces import ProgramError, Tick
from demos.terminal.paper.market import Speed
from demos.terminal.runtime.clock import ManualClock
from demos.terminal.runtime.log import EventFile

EVENTS = """
def OnInit(): Print("init")
def OnDeinit(reason): Print("deinit ", reason)
"""


def test_OnInit_runs_first_and_OnDeinit_last(tmp_path):
    bench = Bench(tmp_path, ticks(1, 2))
    bench.attach(EVENTS + "def OnTick(): Print('tick ', SymbolInfoDouble(Symbol(), SYMBOL_BID))")
    assert bench.run(5) == 0
    assert bench.texts() == ["init", "tick 1e-05", "tick 2e-05", "deinit 9"]


def test_the_symbol_is_quoted_before_OnInit(tmp_path):
    bench = Bench(tmp_path, [Tick("EURUSD", 1_500, 110_000, 110_010)])
    bench.attach("def OnInit(): Print(SymbolInfoDouble(Symbol(), SYMBOL_ASK), ' ', TimeCurrent())")
    bench.run(1)
    assert bench.texts() == ["1.1001 1970.01.01 00:00:01"]


def test_two_charts_of_one_program_in_one_process_have_their_own_globals(tmp_path):
    quotes = [*ticks(1, 2, 3), *ticks(1, symbol="GBPUSD")]
    bench = Bench(tmp_path, quotes)
    source = """
    from typing import Annotated
    Step: Annotated[int, Input("step")] = 1
    total = 0
    def OnTick():
        global total
        total += Step
    def OnDeinit(reason): Print(Symbol(), " ", total)
    """
    first = bench.attach(source)
    second = bench.attach(source, "GBPUSD", Step=10)
    assert first.module is not second.module
    bench.run(10)
    assert bench.log[-2:] == [
        "probe[GBPUSD,H1] info OnDeinit GBPUSD 10",
        "probe[EURUSD,H1] info OnDeinit EURUSD 3",
    ]


def test_OnTimer_runs_at_its_period_for_hours(tmp_path):
    bench = Bench(tmp_path)
    bench.attach("""
    count = 0
    def OnInit(): EventSetTimer(1)
    def OnTimer():
        global count
        count += 1
    def OnDeinit(reason): Print(count)
    """)
    bench.run(2 * 3600 + 0.5)
    assert bench.texts() == ["7200"]


def test_each_attachment_has_its_own_timer(tmp_path):
    bench = Bench(tmp_path)
    source = """
    from typing import Annotated
    Period_: Annotated[int, Input("milliseconds")] = 250
    def OnInit(): EventSetMillisecondTimer(Period_)
    def OnTimer(): Print(Period_, " ", GetTickCount64())
    """
    bench.attach(source)
    bench.attach(source, Period_=500)
    bench.run(1)
    assert bench.texts() == ["250 1000250", "250 1000500", "500 1000500", "250 1000750"]


def test_missed_timer_events_are_merged_into_one_on_the_same_grid(tmp_path):
    bench = Bench(tmp_path)
    bench.attach("""
    def OnInit(): EventSetTimer(1)
    def OnTimer():
        Print(GetTickCount64())
        if GetTickCount64() == 1002000: Sleep(3500)
    """)
    bench.run(8.5)
    assert bench.texts() == ["1001000", "1002000", "1006000", "1007000", "1008000"]


def test_a_timer_can_be_changed_and_killed_in_its_own_event(tmp_path):
    bench = Bench(tmp_path)
    bench.attach("""
    def OnInit(): EventSetTimer(1)
    def OnTimer():
        Print(GetTickCount64())
        if GetTickCount64() == 1001000: EventSetMillisecondTimer(250)
        else: EventKillTimer()
    """)
    bench.run(10)
    assert bench.texts() == ["1001000", "1001250"]


def test_a_timer_without_a_positive_period_is_rejected(tmp_path):
    bench = Bench(tmp_path)
    bench.attach("def OnInit(): Print(EventSetTimer(0), EventSetMillisecondTimer(-1), EventSetMillisecondTimer(1))")
    bench.run(0.5)
    assert bench.texts() == ["falsefalsetrue"]


def test_the_terminals_timer_period_replaces_that_of_the_program(tmp_path):
    bench = Bench(tmp_path, timer_ms=200)
    bench.attach("""
    def OnInit(): EventSetTimer(60)
    def OnTimer(): Print(GetTickCount64())
    """)
    bench.run(0.5)
    assert bench.texts() == ["1000200", "1000400"]


def test_continuous_ticks_do_not_starve_timers_and_commands(tmp_path):
    bench = Bench(tmp_path, ticks(*range(1, 101)), speed=Speed())
    bench.attach("""
    seen = 0
    def OnInit(): EventSetMillisecondTimer(1)
    def OnTick():
        global seen
        seen += 1
        Sleep(1)
    def OnTimer(): Print("timer after ", seen)
    """)
    bench.terminal.post("help")
    bench.run(0.05)
    assert bench.texts()[:3] == ["timer after 1", "timer after 2", "timer after 3"]
    assert bench.answers


def test_OnTick_runs_only_for_the_charts_symbol_and_OnTrade_on_every_chart(tmp_path):
    bench = Bench(tmp_path, ticks(100, 101))
    bench.attach("""
    def OnTick():
        if not PositionsTotal(): Print(CTrade().Buy(0.25))
    def OnTrade(): Print("trade here, ", PositionsTotal())
    """)
    bench.attach(
        """
    def OnTick(): Print("never")
    def OnTrade(): Print("trade there")
    """,
        "GBPUSD",
    )
    bench.run(3)
    assert bench.texts() == ["true", "trade here, 1", "trade there"]


def test_OnTrade_runs_once_per_deal_after_the_function_that_traded(tmp_path):
    bench = Bench(tmp_path, ticks(100))
    bench.attach("""
    def OnTick():
        trade = CTrade()
        trade.Buy(0.25)
        trade.Sell(0.10)
        Print("traded")
    def OnTrade(): Print("trade")
    """)
    bench.run(1)
    assert bench.texts() == ["traded", "trade", "trade"]


def test_a_program_that_trades_in_OnTrade_does_not_starve_the_market(tmp_path):
    bench = Bench(tmp_path, ticks(100, 101))
    bench.attach("""
    def OnTick(): Print("tick")
    def OnInit(): CTrade().Buy(0.01)
    def OnTrade():
        Sleep(100)
        CTrade().Buy(0.01)
    """)
    bench.run(2)
    assert bench.texts() == ["tick", "tick"]


def test_a_chart_event_reaches_its_chart_with_its_parameters(tmp_path):
    bench = Bench(tmp_path)
    chart = bench.attach("def OnChartEvent(id, lparam, dparam, sparam): Print(id, lparam, dparam, sparam)")
    bench.terminal.post_chart_event(chart, 1000, 2, 3.5, "text")
    bench.run(1)
    assert bench.texts() == ["100023.5text"]


@pytest.mark.parametrize(("returned", "code"), [("INIT_FAILED", 4), ("INIT_PARAMETERS_INCORRECT", 2), ("7", 4)])
def test_a_program_whose_OnInit_fails_is_removed(tmp_path, returned, code):
    bench = Bench(tmp_path, ticks(1, 2, 3))
    bench.attach(f"""
    def OnInit(): return {returned}
    def OnTick(): Print("never")
    def OnDeinit(reason): Print("deinit ", reason)
    """)
    assert bench.run(10) == code
    assert bench.texts()[1:] == ["deinit 8"]
    assert bench.log[0] == f"probe[EURUSD,H1] error OnInit OnInit returned {returned}"


def test_a_program_that_has_logged_why_its_OnInit_failed_gets_no_second_error_line(tmp_path):
    bench = Bench(tmp_path, ticks(1, 2, 3))
    bench.attach("""
    def OnInit():
        Print("-no such symbol")
        return INIT_PARAMETERS_INCORRECT
    """)
    assert bench.run(10) == 2
    assert bench.log == ["probe[EURUSD,H1] error OnInit -no such symbol"]


@pytest.mark.parametrize("event", ["OnInit", "OnTick", "OnTimer"])
def test_Fail_ends_the_program_with_one_line_its_code_and_OnDeinit(tmp_path, event):
    bench = Bench(tmp_path, ticks(1, 2, 3))
    functions = {"OnInit": "EventSetTimer(1)", "OnTick": "pass", "OnTimer": "pass"}
    functions[event] = "Fail(3, 'port 8081 is in use')"
    source = "\n".join(f"def {name}(): {body}" for name, body in functions.items())
    bench.attach(source + "\ndef OnDeinit(reason): Print('deinit ', reason)")
    assert bench.run(10) == 3
    assert bench.log[-2:] == [
        f"probe[EURUSD,H1] error {event} port 8081 is in use",
        "probe[EURUSD,H1] info OnDeinit deinit 0",
    ]


def test_the_first_failure_sets_the_exit_code_and_other_programs_continue(tmp_path):
    bench = Bench(tmp_path, ticks(1, 2, 3))
    bench.attach("def OnTick(): Fail(3, 'first')")
    bench.attach("""
    def OnTick(): Print("still here")
    def OnDeinit(reason): Fail(4, "too late")
    """)
    assert bench.run(10) == 3
    assert bench.texts().count("still here") == 3


def test_ExpertRemove_ends_the_program_without_an_error(tmp_path):
    bench = Bench(tmp_path, ticks(1, 2, 3))
    bench.attach("""
    def OnTick():
        ExpertRemove()
        Print("the function goes on to its end, ", IsStopped())
    def OnDeinit(reason): Print("deinit ", reason)
    """)
    assert bench.run() == 0
    assert bench.texts() == ["the function goes on to its end, true", "deinit 0"]


def test_a_script_runs_once_and_is_removed(tmp_path):
    bench = Bench(tmp_path, ticks(1, 2, 3))
    bench.attach("""
    def OnStart():
        Print(GetTickCount64())
        Sleep(1500)
        Print(GetTickCount64())
    """)
    assert bench.run() == 0
    assert bench.texts() == ["1000000", "1001500"]


def test_stop_ends_the_sleep_of_a_script_and_starts_no_other_program(tmp_path):
    bench = Bench(tmp_path)
    bench.attach("""
    def OnInit(): current_host().stop()
    def OnStart():
        Sleep(10**9)
        Print(IsStopped())
    def OnDeinit(reason): Print("deinit ", reason)
    from demos.terminal.terminal import current_terminal
    def current_host(): return current_terminal()
    """)
    bench.attach("def OnInit(): Print('never')")
    assert bench.run() == 0
    assert bench.texts() == ["true", "deinit 0"]


def test_after_stop_only_OnDeinit_runs(tmp_path):
    bench = Bench(tmp_path, ticks(1))
    bench.attach("""
    from demos.terminal.terminal import current_terminal
    def OnInit(): EventSetMillisecondTimer(1)
    def OnTick():
        CTrade().Buy(0.01)
        current_terminal().stop()
    def OnTrade(): Print("never")
    def OnTimer(): Print("never")
    def OnDeinit(reason): Print("deinit ", reason)
    """)
    bench.terminal.post("help")
    bench.run()
    assert bench.texts() == ["deinit 9"]
    assert bench.answers == []


def test_every_OnDeinit_runs_after_an_error_in_one_program(tmp_path):
    bench = Bench(tmp_path, ticks(1))
    bench.attach(EVENTS)
    bench.attach("""
    def OnTick(): raise LookupError("a bug")
    def OnDeinit(reason): Print("mine")
    """)
    bench.attach("""
    def OnDeinit(reason): raise ArithmeticError("another")
    """)
    with pytest.raises(ArithmeticError, match="another") as caught:
        bench.run(5)
    assert isinstance(caught.value.__context__, LookupError)
    assert bench.texts() == ["init", "mine", "deinit 9"]


def test_the_end_of_the_market_is_logged_once_and_timers_continue(tmp_path):
    bench = Bench(tmp_path, ticks(1))
    bench.attach("""
    def OnInit(): EventSetTimer(1)
    def OnTimer(): Print("timer")
    """)
    bench.run(2.5)
    assert bench.log.count("terminal info market the last tick has been replayed") == 1
    assert bench.texts() == ["timer", "timer"]


def test_a_terminal_without_timers_and_ticks_waits_without_a_limit(tmp_path):
    bench = Bench(tmp_path)
    bench.attach("def OnTick(): pass")
    with pytest.raises(RuntimeError, match="the wait would never end"):
        bench.run()


def test_deals_and_calls_of_Event_are_recorded_as_json_lines(tmp_path):
    path = tmp_path / "events.jsonl"
    events = EventFile(ManualClock(), path)
    bench = Bench(tmp_path, ticks(100_000), events=events)
    bench.attach("""
    def OnTick():
        Event("mine", text="é", count=3)
        CTrade().Sell(0.25)
    """)
    bench.run(1)
    events.close()
    first, second = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    assert first == {"t": 1_000_000_000_000, "kind": "mine", "text": "é", "count": 3}
    assert second == {
        "t": 1_000_000_000_000,
        "kind": "deal",
        "symbol": "EURUSD",
        "volume": "-0.25",
        "position": "-0.25",
        "price": "1.00000",
    }
    assert "terminal info deal #1 EURUSD -0.25 at 1.00000 -> -0.25" in bench.log


def test_a_program_has_the_symbol_and_period_of_its_chart(tmp_path):
    bench = Bench(tmp_path)
    bench.terminal.attach(find_program(FOLLOWER), "GBPUSD", PERIOD_M15)
    bench.run(0.5)
    assert "follower[GBPUSD,M15] info OnInit hello" in bench.log[0]


def test_a_program_cannot_be_attached_to_a_symbol_that_the_market_lacks(tmp_path):
    bench = Bench(tmp_path, symbols=[EURUSD, GBPUSD])
    with closing(bench.account), pytest.raises(ProgramError, match="the market has no symbol XAUUSD"):
        bench.attach("def OnTick(): pass", "XAUUSD")


def test_terminal_functions_work_only_inside_an_event_function():
    from demos.terminal import Symbol

    with pytest.raises(RuntimeError, match="outside an event function"):
        Symbol()
