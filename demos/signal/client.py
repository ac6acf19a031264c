"""Brings the position of a symbol to the volume that a signal server sends: a port of the SignalClient listing.

The procedures are the article's, under their own names and in their own order. A mark such as ``# S12`` names the
erratum that a line corrects; README.md in this folder puts the listing's procedures next to these. ``copier`` is the
program for daily use.
"""

from __future__ import annotations

from ctypes import c_int, sizeof
from typing import Annotated

from demos.signal.protocol import CODEC, CODEPAGE, LONGEST, parse_lots, port_problem, symbol_problem
from demos.terminal import *
from winsock import *

Host: Annotated[str, Input("IPv4 address of the signal server")] = "127.0.0.1"
Port: Annotated[int, Input("port of the signal server", check=port_problem)] = 8081

client = INVALID_SOCKET  # H4
msg = ""
started = False  # S13
connecting = False  # S12
connect_until = 0  # S12: when the attempt ends, by GetTickCount64
failed: dict[str, int] = {}  # S11: messages whose order failed, and for how many events each has waited


def OnInit() -> int:
    if AccountInfoInteger(ACCOUNT_MARGIN_MODE) == ACCOUNT_MARGIN_MODE_RETAIL_HEDGING:
        Alert("the client works only with netting accounts")
        return INIT_FAILED
    EventSetTimer(1)
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    EventKillTimer()
    CloseClean()


def OnTimer() -> None:
    global msg
    if client == INVALID_SOCKET:
        StartClient(Host, Port)
    elif Connected():  # S12
        data = bytearray()
        if Receive(data) > 0:
            # S1 S2: all that was received, not what stands before its first NUL
            text = data.decode(CODEC, "replace")
            msg += text
            printf("received msg from server: %s", text[:LONGEST])  # S21: not all that is pending
        CheckMessage()


def StartClient(addr: str, port: int) -> None:
    """Begin to connect to the server."""
    global client, started, connecting, connect_until
    res = WSAStartup(MAKEWORD(2, 2), WSADATA())  # H6
    if res != 0:
        Print("-WSAStartup failed error: " + WSAErrorDescript(res))
        return
    started = True  # S13

    client = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)
    if client == INVALID_SOCKET:
        Print("-Create failed error: " + WSAErrorDescript(WSAGetLastError()))
        CloseClean()
        return

    # set to nonblocking mode, before the connect
    if ioctlsocket(client, FIONBIO, u_long(1)) != NO_ERROR:  # S12
        Print("-ioctlsocket failed error: " + WSAErrorDescript(WSAGetLastError()))
        CloseClean()
        return

    # connect to the server
    addrin = sockaddr_in()  # H1 H3
    addrin.sin_family = AF_INET
    addrin.sin_addr.s_addr = inet_addr(StringToCharArray(addr))  # H5
    addrin.sin_port = htons(port)
    if addrin.sin_addr.s_addr == INADDR_NONE:  # S22
        Fail(2, f"invalid IPv4 address: {addr!r}; Host takes four numbers, as in 127.0.0.1")
        return
    ref = bytearray(addrin)  # H6
    connecting, connect_until = True, GetTickCount64() + 10_000  # S12
    if connect(client, ref, len(ref)) == SOCKET_ERROR and WSAGetLastError() != WSAEWOULDBLOCK:  # S12 A7
        Print("-Connect failed error: " + WSAErrorDescript(WSAGetLastError()))
        CloseClean()
        return
    Connected()  # S12


def Connected() -> bool:  # S12 A4
    """Not in the listing: whether the connect has succeeded. One that fails or takes ten seconds is ended."""
    global connecting
    if not connecting:
        return True
    writefds, exceptfds, error = fd_set(), fd_set(), c_int()
    FD_SET(client, writefds)
    FD_SET(client, exceptfds)
    if select(0, None, writefds, exceptfds, timeval()) == SOCKET_ERROR:
        error.value = WSAGetLastError()
    elif FD_ISSET(client, exceptfds):
        if getsockopt(client, SOL_SOCKET, SO_ERROR, error, c_int(sizeof(error))) == SOCKET_ERROR:
            error.value = WSAGetLastError()
    elif FD_ISSET(client, writefds):
        connecting = False
        Print("connect OK")
    elif GetTickCount64() >= connect_until:
        error.value = WSAETIMEDOUT
    if error.value:
        Print("-Connect failed error: " + WSAErrorDescript(error.value))
        CloseClean()
    return client != INVALID_SOCKET and not connecting


def Receive(rdata: bytearray) -> int:
    """Receive what has arrived; returns its length, or -1 when the connection has ended."""
    if client == INVALID_SOCKET:
        return 0
    rbuf = bytearray(512)
    r, res = 0, len(rbuf)
    while res == len(rbuf) and r < 64 * 1024:  # S6: bounded
        res = recv(client, rbuf, len(rbuf), 0)
        if res < 0:
            err = WSAGetLastError()
            if err != WSAEWOULDBLOCK and r == 0:  # S20: what was received first; the next event finds the error again
                Print("-Receive failed error: " + WSAErrorDescript(err))
                CloseClean()
                return -1
            break
        if res == 0 and r == 0:
            Print("-Receive. connection closed")
            CloseClean()
            return -1
        r += res
        rdata += rbuf[:res]
    return r


def CloseClean() -> None:
    """Close the socket and forget what belongs to the connection."""
    global client, msg, started, connecting, failed
    if client != INVALID_SOCKET:
        shutdown(client, SD_BOTH)  # S21: it fails only if there is no connection, which was reported
        closesocket(client)
        client = INVALID_SOCKET
    msg, connecting, failed = "", False, {}  # S5 S11 S12
    if started:  # S13
        WSACleanup()
        started = False
    Print("close socket")


def CheckMessage() -> None:
    """Take the latest message of each symbol, and synchronize the position with it."""
    global msg, failed
    latest: dict[str, tuple[str, float]] = {}  # S10: of each symbol, not of all
    while (pos := FindNextPos()) is not None:
        if pos and pos not in failed:
            printf("server position: %s", pos[:LONGEST])
        res = StringSplit(pos, "|")
        lot = parse_lots(res[1]) if len(res) == 2 else None  # S7 S8 S23
        if lot is None or symbol_problem(res[0], CODEPAGE) or len(pos) > LONGEST:  # S6 S7 S9
            if pos:
                printf("-wrong pos info: %s", pos[:LONGEST])
            continue
        latest.pop(res[0], None)
        latest[res[0]] = (pos, float(lot))
        if len(latest) > 256:  # S6
            del latest[next(iter(latest))]

    # synchronize the volumes; a message whose order failed is put back in front
    before, failed = failed, {}  # S11
    for smb, (pos, nlot) in latest.items():
        # S11: retried at the 1st, 2nd, 4th ... 32nd event after the failure, and then at every 32nd
        n = before[pos] + 1 if pos in before else 0
        due = n in (1, 2, 4, 8, 16) or n % 32 == 0
        if not due or not SyncSymbolLot(smb, nlot):
            msg = "<<" + pos + ">>" + msg
            failed[pos] = n


def SyncSymbolLot(smb: str, nlot: float) -> bool:
    """Trade the difference between the server's volume and ours; False when the order failed."""
    trade = CTrade()
    clot = GetSymbolLot(smb)
    if clot == nlot:
        Print("nothing change")
        return True
    # the server has no position any more
    if nlot == 0:
        Print("full close position")
        done = trade.PositionClose(smb)
    else:
        # buy or sell, depending on the difference
        dif = NormalizeDouble(nlot - clot, 2)
        if dif > 0:
            Print("add Buy position")
            done = trade.Buy(dif, smb)
        else:
            Print("add Sell position")
            done = trade.Sell(-dif, smb)
    if not done:
        # in MQL5, CTrade logs this
        Print(f"-cannot trade {smb} to {DoubleToString(nlot, 2)} lots: {trade.ResultRetcodeDescription()}")
    return done


def FindNextPos() -> str | None:
    """Cut the next message out of the text."""
    global msg
    b = StringFind(msg, "<<")
    if b < 0:
        msg = "<" if msg.endswith("<") else ""  # S6
        return None
    e = StringFind(msg, ">>", b + 2)  # S4
    if e < 0:
        msg = msg[msg.rfind("<<") :]  # S24
        if len(msg) > LONGEST:
            msg = "<" if msg.endswith("<") else ""  # S6
        return None
    pos = msg[msg.rfind("<<", b, e) + 2 : e]  # S24: an unfinished message before it is dropped
    msg = StringSubstr(msg, e + 2)
    return pos


def GetSymbolLot(smb: str) -> float:
    """The signed sum of the symbol's positions, in lots of two digits."""
    slot = 0.0
    for i in range(PositionsTotal()):
        if not PositionSelectByTicket(PositionGetTicket(i)) or PositionGetString(POSITION_SYMBOL) != smb:  # A6
            continue
        lot = PositionGetDouble(POSITION_VOLUME)
        if PositionGetInteger(POSITION_TYPE) == POSITION_TYPE_SELL:
            lot = -lot
        slot += lot
    return NormalizeDouble(slot, 2)
