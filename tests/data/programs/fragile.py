"""Works until a command ends it: `buy 0.01` is a defect, `buy 0.02` a fatal failure; otherwise it ends in order."""

import os
from typing import Annotated

from demos.terminal import (
    POSITION_VOLUME,
    Event,
    EventSetMillisecondTimer,
    Fail,
    Input,
    PositionGetDouble,
    PositionGetTicket,
    PositionsTotal,
    Print,
)

mark: Annotated[str, Input("a file that it creates at its end")] = ""


def OnInit() -> int:
    EventSetMillisecondTimer(10)
    Event("started")
    Print("ready")
    return 0


def OnTrade() -> None:
    volume = PositionGetDouble(POSITION_VOLUME) if PositionsTotal() and PositionGetTicket(0) else 0.0
    if volume == 0.01:
        os._exit(1)
    if volume == 0.02:
        Fail(4, "a fatal failure")


def OnDeinit(reason: int) -> None:
    if mark:
        open(mark, "w", encoding="utf-8").close()
    # It fails where the parent has been killed: nobody reads the log.
    Print("deinit")
