"""A connection of paho-mqtt without a thread and without Python's sockets, for programs in a simulated network.

paho parses and writes the packets, keeps the connection alive and calls the callbacks as always. The socket that it
gets is a stream of demos/wire on winsock's calls, which connects and encrypts without waiting. The terminal calls the
program when that socket is ready; the program's MqttLink.take() then calls step(), as it does at each timer event.
"""

from __future__ import annotations

import time
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.client import error_string
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from demos.terminal import EventKillSocket, EventSetSocket, GetTickCount64
from demos.wire.addresses import AddressError, find_address
from demos.wire.channel import Channel, ChannelLimits, Stream
from demos.wire.connecting import begin_connect, connect_result
from demos.wire.mqtt_link import MQTT_WITH_WILL, Attempt
from demos.wire.mqtt_problems import connect_problem
from demos.wire.opening import CallFailed
from demos.wire.tls import TlsChannel, client_tls
from demos.wire.tls_contexts import TlsContext, TlsError
from winsock import INVALID_SOCKET, NO_ERROR, SOCK_STREAM, WSAETIMEDOUT, WSAErrorDescript, closesocket
from winsock.simulation.dispatch import running_process
from winsock.simulation.errors import SimulationError

# paho's limit for the connect and the TLS handshake.
_CONNECT_MS = 5_000

_LIMITS = ChannelLimits(received=256 * 1024, unsent=8 * 1024 * 1024)

_DEFAULT = time.monotonic


def _now() -> float:
    """The time of the running process, in seconds; outside of a simulation the real one."""
    try:
        return running_process().monotonic()
    except SimulationError:
        return _DEFAULT()


# paho takes the time from this variable of its module.
paho.time_func = _now


class StreamSocket:
    """What paho needs of a socket, on a stream that never waits. Errors of its methods: OSError."""

    def __init__(self, host: str, port: int, context: TlsContext | None, pin: bytes | None) -> None:
        """Begin to connect."""
        self._host, self._context, self._pin = host, context, pin
        self._until = GetTickCount64() + _CONNECT_MS
        self._stream: Stream | None = None
        self._received = bytearray()
        try:
            self.handle, error = begin_connect(find_address(host, port, SOCK_STREAM))
        except (AddressError, CallFailed) as problem:
            raise OSError(str(problem)) from None
        if error != NO_ERROR:
            closesocket(self.handle)
            raise OSError(WSAErrorDescript(error))

    @property
    def is_open(self) -> bool:
        """Whether the connection and its TLS are established."""
        stream = self._stream
        return stream is not None and (not isinstance(stream, TlsChannel) or stream.established)

    @property
    def has_input(self) -> bool:
        """Whether recv() would return something, or raise an error."""
        stream = self._stream
        return self.is_open and (bool(self._received) or stream is None or stream.ended or not stream.is_open)

    def step(self, now: int) -> None:
        """Continue to connect, and take what has arrived."""
        if self._stream is None:
            error = connect_result(self.handle)
            if error is None and now >= self._until:
                error = WSAETIMEDOUT
            if error is None:
                return
            if error != NO_ERROR:
                raise OSError(WSAErrorDescript(error))
            self._begin_stream(now)
        stream = self._stream
        assert stream is not None
        stream.flush(now)
        self._received += stream.receive(now)
        if self.is_open:
            return
        if not stream.is_open or stream.ended:
            raise OSError(stream.reason or "the connection has ended during the TLS handshake")
        if now >= self._until:
            raise OSError(WSAErrorDescript(WSAETIMEDOUT))

    def register(self, *, wants_write: bool) -> None:
        """Have the terminal call the program when the socket is ready for what is next."""
        stream = self._stream
        if stream is None:
            EventSetSocket(self.handle, readable=False, writable=True)
        elif not stream.is_closed:
            EventSetSocket(self.handle, stream.wants_read, stream.wants_write or (wants_write and self.is_open))

    # ---- what paho calls

    def recv(self, size: int) -> bytes:
        """Some of the bytes that have arrived; empty at the end."""
        if self._received:
            part = bytes(self._received[:size])
            del self._received[:size]
            return part
        stream = self._stream
        if stream is not None and not stream.is_open:
            raise ConnectionResetError(stream.reason)
        if stream is not None and stream.ended:
            return b""
        raise BlockingIOError

    def send(self, data: bytes) -> int:
        """Queue bytes; the stream limits how many wait."""
        if self._stream is None or not self.is_open:
            raise BlockingIOError
        if not self._stream.is_open:
            raise ConnectionResetError(self._stream.reason)
        self._stream.send(bytes(data), GetTickCount64())
        return len(data)

    def close(self) -> None:
        """Close the socket."""
        if self.handle == INVALID_SOCKET:
            return
        EventKillSocket(self.handle)
        if self._stream is not None:
            self._stream.close("")
        else:
            closesocket(self.handle)
        self.handle = INVALID_SOCKET

    def setblocking(self, flag: bool) -> None:
        """It never blocks."""

    def fileno(self) -> int:
        """The handle."""
        return self.handle

    def _begin_stream(self, now: int) -> None:
        channel = Channel(self.handle, _LIMITS)
        self._stream = channel
        if self._context is not None:
            try:
                self._stream = client_tls(channel, self._context, self._host, self._pin, now)
            except TlsError as problem:
                raise OSError(str(problem)) from None


class InlineAttempt(Attempt):
    """See the head of this module."""

    _stream_socket: StreamSocket | None = None
    _has_ended = False

    def __del__(self) -> None:
        """Do nothing: paho would close the socket, perhaps while another process runs. A killed one has no sockets."""

    @property
    def own_socket(self) -> int:  # type: ignore[override]  # the other one has no socket
        """See Attempt."""
        return self._stream_socket.handle if self._stream_socket else INVALID_SOCKET

    def loop_start(self) -> MQTTErrorCode:
        """Begin to connect, where paho would start its thread."""
        # With this callback paho writes in step() only, never inside publish().
        self.on_socket_register_write = self._write_wanted
        try:
            self.reconnect()
        except Exception as error:  # whatever it is, the program reports it, and connects again
            self._fail(connect_problem(error, self._endpoint))
        else:
            self._register()
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def step(self) -> None:
        """See Attempt."""
        if self._has_ended:
            return
        try:
            result = self._advance()
        except Exception as error:  # whatever it is, the program reports it, and connects again
            self._fail(connect_problem(error, self._endpoint))
            return
        if result != MQTTErrorCode.MQTT_ERR_SUCCESS or self._sock is None:
            self._fail(error_string(result))
        else:
            self._register()

    def finish(self, *, with_will: bool) -> None:
        """Disconnect: the last packet is lost if the peer does not read."""
        self.leave()
        if self.is_connected():
            self.disconnect(ReasonCode(PacketTypes.DISCONNECT, identifier=MQTT_WITH_WILL if with_will else 0))
            self.loop_write()
        self._fail("")

    def _create_socket(self) -> Any:
        settings = self._settings
        self._stream_socket = StreamSocket(self._host, self._port, settings.context, settings.pin)
        return self._stream_socket

    def _advance(self) -> MQTTErrorCode:
        """Connect, read, write and keep the connection alive, as far as that is possible now."""
        connection = self._stream_socket
        assert connection is not None
        connection.step(GetTickCount64())
        result = MQTTErrorCode.MQTT_ERR_SUCCESS
        if not connection.is_open:
            return result
        while result == MQTTErrorCode.MQTT_ERR_SUCCESS and self._sock is not None and connection.has_input:
            result = self.loop_read()
        if result == MQTTErrorCode.MQTT_ERR_SUCCESS and self._sock is not None and self.want_write():
            result = self.loop_write()
        if result == MQTTErrorCode.MQTT_ERR_SUCCESS and self._sock is not None:
            result = self.loop_misc()
        return result

    def _fail(self, reason: str) -> None:
        """The connection is over."""
        self._has_ended = True
        self._sock_close()
        if self._stream_socket is not None:
            self._stream_socket.close()
            self._stream_socket = None
        self.on_socket_register_write = None
        self.end_with(reason)

    def _write_wanted(self, client: Any, userdata: Any, sock: Any) -> None:
        self._register()

    def _register(self) -> None:
        if self._stream_socket is not None:
            self._stream_socket.register(wants_write=self.want_write())
