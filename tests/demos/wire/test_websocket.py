"""WebSocket, byte by byte: every kind of frame, limits, pings, the end, and the opening handshake.

The clock is a number of the test; the peer is a socket that sends raw frames.
"""

from __future__ import annotations

import base64
import hashlib
import struct

import pytest
from web_kit import HOSTS, Server, check_origin, exchange, network, raw, receive_to_end, wait_until
from winsock_kit import connected_pair, readable, receive_all, reset, set_nonblocking

from demos.wire.channel import Channel
from demos.wire.web_server import WebConnection, served_hosts
from demos.wire.websocket import SERVER_LIMITS, WebSocket, WebSocketLimits, text_frame
from demos.wire.websocket_opening import WebSocketOpening, accept_websocket, any_origin, is_upgrade, open_websocket
from winsock import send

__all__ = ["network"]

pytestmark = pytest.mark.usefixtures("network")

KEY = base64.b64encode(bytes(16))
TOKEN = base64.b64encode(hashlib.sha1(KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n"
)
# The length of the server's answer to it.
ANSWER = 129
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def put(s: int, data: bytes) -> None:
    assert send(s, data, len(data), 0) == len(data)


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, bits: int = 0, masked: bool = True) -> bytes:
    """A frame; a client's is masked, here with a mask that changes each byte."""
    size = len(payload)
    short = size if size < 126 else 126 if size < 65536 else 127
    length = b"" if short < 126 else struct.pack("!H" if short == 126 else "!Q", size)
    head = bytes([fin << 7 | bits << 4 | opcode, masked << 7 | short]) + length
    if not masked:
        return head + payload
    mask = b"\x5a\xa5\x3c\xc3"
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def close_code(answer: bytes) -> int:
    """The code of the close frame at the end of what a server has sent."""
    opcode, size = answer[0], answer[1]
    while opcode != 0x80 | CLOSE:
        answer = answer[2 + size :]
        opcode, size = answer[0], answer[1]
    code: int = struct.unpack("!H", answer[2:4])[0]
    return code


def opened(limits: WebSocketLimits = SERVER_LIMITS) -> tuple[WebSocket, int]:
    """A server's WebSocket, and the blocking socket of its client."""
    peer, s = connected_pair()
    set_nonblocking(s)
    connection = WebConnection(Channel(s), served_hosts(HOSTS), 0)
    put(peer, HANDSHAKE + b"\r\n")
    assert readable(s)
    request = connection.receive(0)
    assert request is not None
    assert is_upgrade(request)
    websocket = accept_websocket(connection, request, any_origin, 0, limits)
    assert websocket is not None
    head = receive_all(peer, ANSWER)
    assert head.startswith(b"HTTP/1.1 101 ")
    assert head.endswith(b"\r\nSec-WebSocket-Accept: " + TOKEN + b"\r\n\r\n")
    return websocket, peer


def feed(websocket: WebSocket, peer: int, data: bytes, now: int = 0) -> list[str]:
    """Send bytes to the WebSocket until it has received them all or has ended; the messages."""
    put(peer, data)
    messages: list[str] = []
    left = len(data)
    while left > 0 and websocket.stream.is_open:
        assert readable(websocket.stream.socket)
        messages += websocket.receive(now)
        left -= 16 * 1024
    return messages


# ---- frames


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, b"text", masked=False), 1002),
        (frame(TEXT, b"text", bits=4), 1002),
        (frame(TEXT, b"text", bits=1), 1002),
        (frame(PING, b"x" * 126), 1002),
        (frame(PING, b"x", fin=False), 1002),
        (frame(0, b"continuation"), 1002),
        (frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), 1002),
        (bytes([0x81, 0xFE, 0, 5]) + bytes(9), 1002),
        (bytes([0x81, 0xFF]) + struct.pack("!Q", 5) + bytes(9), 1002),
        (bytes([0x81, 0xFF]) + struct.pack("!Q", 2**63 + 5) + bytes(9), 1002),
        (frame(CLOSE, b"\x03"), 1002),
        (frame(CLOSE, struct.pack("!H", 999)), 1002),
        (frame(CLOSE, struct.pack("!H", 1006)), 1002),
        (frame(CLOSE, struct.pack("!H", 2999)), 1002),
        (frame(CLOSE, struct.pack("!H", 1000) + b"\xff"), 1007),
        (frame(TEXT, b"\xff"), 1007),
        (frame(TEXT, b"\xed\xa0\x80"), 1007),
        (frame(TEXT, "€".encode()[:2], fin=False) + frame(0, b"x"), 1007),
        (frame(TEXT, "€".encode()[:2]), 1007),
        (frame(BINARY, b"binary"), 1003),
        (frame(BINARY, b"", fin=False), 1003),
        (frame(TEXT, b"x" * 1001), 1009),
        (frame(TEXT, b"x" * 600, fin=False) + frame(0, b"x" * 600), 1009),
        (frame(TEXT, b"", fin=False) + frame(0, b"", fin=False) * 20, 1009),
        (frame(PING) * 60, 1008),
        (frame(PONG) * 60, 1008),
        (frame(TEXT, b"text") * 60, 1008),
        *[(frame(opcode, b"x"), 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)],
    ],
)
def test_a_refused_frame_ends_the_connection_with_the_code_for_it(data, code):
    websocket, peer = opened(WebSocketLimits(message=1000, fragments=10, burst=50))
    feed(websocket, peer, data)
    assert not websocket.stream.is_open
    assert websocket.stream.reason.startswith(f"WebSocket error {code}: ")
    websocket.stream.close("")
    assert close_code(receive_to_end(peer)) == code


def test_a_large_frame_is_refused_before_all_of_it_has_arrived():
    websocket, peer = opened(WebSocketLimits(message=1000))
    put(peer, bytes([0x81, 0xFF]) + struct.pack("!Q", 2**40) + bytes(4) + b"x" * 2000)
    while websocket.stream.is_open:
        assert readable(websocket.stream.socket)
        assert websocket.receive(0) == []
    assert websocket.stream.reason == "WebSocket error 1009: a message has more than 1000 characters"


def test_frames_are_read_at_whatever_byte_they_are_split():
    data = frame(TEXT, b"a", fin=False) + frame(PING, b"p") + frame(0, "€".encode()) + frame(TEXT, b"x" * 130)
    for position in range(1, len(data)):
        websocket, peer = opened()
        messages = feed(websocket, peer, data[:position]) + feed(websocket, peer, data[position:])
        assert messages == ["a€", "x" * 130]
        assert receive_all(peer, 3) == bytes([0x80 | PONG, 1]) + b"p"
        reset(peer)
        websocket.stream.close("")


def test_a_peer_may_send_as_many_frames_as_the_time_allows():
    websocket, peer = opened(WebSocketLimits(burst=10, frames_per_second=10))
    assert feed(websocket, peer, frame(TEXT, b"t") * 10, 0) == ["t"] * 10
    assert feed(websocket, peer, frame(TEXT, b"t") * 5, 500) == ["t"] * 5
    assert feed(websocket, peer, frame(TEXT, b"t") * 10, 10**9) == ["t"] * 10
    assert feed(websocket, peer, frame(TEXT, b"t"), 10**9) == []
    assert websocket.stream.reason == "WebSocket error 1008: too many or too large frames"


def test_a_larger_burst_is_available_as_soon_as_the_limits_are_changed():
    websocket, peer = opened(WebSocketLimits(burst=3, frames_per_second=0))
    assert feed(websocket, peer, frame(TEXT, b"t") * 2) == ["t"] * 2
    websocket.set_limits(WebSocketLimits(burst=10, frames_per_second=0))
    assert feed(websocket, peer, frame(TEXT, b"t") * 9) == ["t"] * 8
    assert websocket.stream.reason == "WebSocket error 1008: too many or too large frames"


def test_the_pieces_of_one_slow_frame_count_once():
    websocket, peer = opened(WebSocketLimits(burst=2, frames_per_second=0))
    for byte in frame(TEXT, b"x" * 100):
        messages = feed(websocket, peer, bytes([byte]))
    assert messages == ["x" * 100]


def test_pings_of_a_peer_that_does_not_read_end_the_connection():
    websocket, peer = opened(WebSocketLimits(burst=10**9))
    websocket.stream.limits = websocket.stream.limits._replace(unsent=100_000)  # type: ignore[attr-defined]
    sent = 0
    while websocket.stream.is_open:
        feed(websocket, peer, frame(PING, b"x" * 125) * 100)
        sent += 1
        assert sent < 10_000
    assert websocket.stream.reason == "the peer reads too slowly: more than 100000 bytes are unsent"


# ---- silence and the end


def test_a_silent_peer_gets_a_ping_and_then_the_end():
    websocket, peer = opened()
    websocket.check(19_999)
    websocket.check(20_000)
    websocket.check(20_001)
    assert receive_all(peer, 2) == bytes([0x80 | PING, 0])
    feed(websocket, peer, frame(PONG), 30_000)
    websocket.check(49_999)
    websocket.check(50_000)
    assert receive_all(peer, 2) == bytes([0x80 | PING, 0])
    websocket.check(89_999)
    assert websocket.stream.is_open
    websocket.check(90_000)
    assert websocket.stream.reason == "the peer has been silent for 60 s"


def test_a_close_frame_is_answered_with_its_code():
    websocket, peer = opened()
    assert feed(websocket, peer, frame(TEXT, b"last") + frame(CLOSE, struct.pack("!H", 1001)) + b"more") == ["last"]
    assert receive_all(peer, 4) == bytes([0x80 | CLOSE, 2]) + struct.pack("!H", 1001)
    assert websocket.code == 1001
    assert websocket.stream.reason == "the peer closed the WebSocket: '1001'"


def test_a_close_frame_without_a_code_is_an_orderly_end():
    websocket, peer = opened()
    feed(websocket, peer, frame(CLOSE))
    assert receive_all(peer, 2) == bytes([0x80 | CLOSE, 0])
    assert (websocket.code, websocket.stream.reason) == (1005, "")


def test_our_close_waits_for_the_peers_and_discards_messages_until_then():
    websocket, peer = opened()
    websocket.close(4000, "x" * 200, 0)
    websocket.send_text("discarded", 0)
    websocket.send_frame(text_frame("discarded"), 0)
    assert not websocket.is_open
    assert feed(websocket, peer, frame(TEXT, b"late") + frame(PING)) == []
    assert feed(websocket, peer, frame(CLOSE, struct.pack("!H", 4000))) == []
    assert not websocket.stream.is_open
    assert websocket.stream.reason == ""
    assert receive_all(peer, 500) == bytes([0x80 | CLOSE, 125]) + struct.pack("!H", 4000) + b"x" * 123


def test_a_peer_that_does_not_answer_our_close_is_disconnected():
    websocket, _ = opened()
    websocket.close(1000, "", 0)
    websocket.check(4_999)
    assert websocket.stream.is_open
    websocket.check(5_000)
    assert not websocket.stream.is_open


def test_an_end_without_a_close_frame_is_reported():
    server = Server()
    s = raw(server)
    put(s, HANDSHAKE + b"\r\n")
    receive_all(s, 12)
    reset(s)
    wait_until(lambda: len(server.reasons) == 1)
    assert server.reasons[0].startswith(("Receive failed error: (#10054)", "the peer disconnected without"))


# ---- the opening handshake


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b"Version: 13", b"Version: 8", 426),
        (b"Sec-WebSocket-Version: 13\r\n", b"", 426),
        (KEY, b"", 400),
        (KEY, KEY + b"AAAA", 400),
        (KEY, b"A" * 24, 400),
        (KEY, b"\xe4" * 24, 400),
        (b"GET", b"POST", 400),
        (b"keep-alive, Upgrade", b"close", 400),
        (b"Upgrade: websocket", b"Upgrade: h2c", 404),
        (b"Sec-WebSocket-Version: 13\r\n", b"Sec-WebSocket-Version: 13\r\nOrigin: https://evil.example\r\n", 403),
        (b"Sec-WebSocket-Version: 13\r\n", b"Sec-WebSocket-Version: 13\r\nOrigin: a\r\nOrigin: b\r\n", 400),
        (b"Host: localhost", b"Host: evil.example", 421),
    ],
)
def test_a_request_for_a_websocket_that_is_not_valid_is_refused(old, new, status):
    assert old in HANDSHAKE
    request = HANDSHAKE.replace(old, new).replace(b"keep-alive,", b"close,") + b"\r\n"
    answer = exchange(raw(Server()), request)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer


def test_a_request_of_http_1_0_is_answered():
    answer = exchange(raw(Server()), HANDSHAKE.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n" + frame(CLOSE))
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert answer.endswith(b"\x88\x00")


def test_after_a_refused_upgrade_the_connection_serves_http():
    s = raw(Server())
    put(s, HANDSHAKE.replace(b"13", b"8") + b"\r\n")
    assert receive_all(s, 12) == b"HTTP/1.1 426"
    answer = exchange(s, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert b"HTTP/1.1 200 OK" in answer


def test_frames_that_arrive_with_the_request_are_read():
    server = Server()
    s = raw(server)
    put(s, HANDSHAKE + b"\r\n" + frame(TEXT, b"early"))
    assert receive_all(s, ANSWER + 7).endswith(b"\r\n\r\n\x81\x05early")


def test_programs_without_an_origin_may_connect():
    assert check_origin(None) is None
    assert any_origin("https://page.example") is None


def test_a_text_frame_has_the_shortest_length():
    assert text_frame("") == b"\x81\x00"
    assert text_frame("€") == b"\x81\x03\xe2\x82\xac"
    assert text_frame("x" * 126)[:4] == b"\x81\x7e\x00\x7e"
    assert text_frame("x" * 65536)[:10] == b"\x81\x7f" + struct.pack("!Q", 65536)


def opening() -> tuple[WebSocketOpening, int, bytes]:
    """A client's opening, the server's blocking socket, and the accept token for the request."""
    peer, s = connected_pair()
    set_nonblocking(s)
    waiting = open_websocket(Channel(s), "localhost", "/ws", 0)
    digest = hashlib.sha1(waiting.key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    return waiting, peer, base64.b64encode(digest)


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", "the server refuses the WebSocket: HTTP 403 'no'"),
        (b"HTTP/1.1 101 OK\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", "the server's answer does not switch"),
        (
            b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            "the server's answer has a wrong Sec",
        ),
        (
            b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: TOKEN\r\n"
            b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
            "the server's answer has an extension or a protocol that was not requested",
        ),
    ],
)
def test_an_answer_that_does_not_open_a_websocket_ends_the_stream(head, reason):
    waiting, peer, token = opening()
    put(peer, head.replace(b"TOKEN", token))
    assert readable(waiting.exchange.stream.socket)
    assert waiting.receive(0) is None
    assert waiting.exchange.stream.reason.startswith(reason)


def test_messages_that_arrive_with_the_answer_are_read():
    waiting, peer, token = opening()
    head = b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + token
    put(peer, head + b"\r\n\r\n" + text_frame("hello"))
    assert readable(waiting.exchange.stream.socket)
    websocket = waiting.receive(0)
    assert websocket is not None
    assert websocket.receive(0) == ["hello"]
    with pytest.raises(ValueError, match="masked one by one"):
        websocket.send_frame(text_frame("x"), 0)


def test_a_client_refuses_masked_frames():
    waiting, peer, token = opening()
    head = b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + token
    put(peer, head + b"\r\n\r\n" + frame(TEXT, b"masked"))
    assert readable(waiting.exchange.stream.socket)
    websocket = waiting.receive(0)
    assert websocket is not None
    assert websocket.receive(0) == []
    assert websocket.stream.reason.startswith("WebSocket error 1002: ")


def test_large_frames_count_more_than_small_ones():
    websocket, peer = opened(WebSocketLimits(burst=10, frames_per_second=10))
    assert feed(websocket, peer, frame(TEXT, b"x" * 8192), 0) == ["x" * 8192]
    assert feed(websocket, peer, frame(TEXT, b"x" * 2048), 0) == []
    assert websocket.stream.reason == "WebSocket error 1008: too many or too large frames"
