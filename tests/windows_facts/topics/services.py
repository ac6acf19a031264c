"""Services: how getaddrinfo reads a port number, and what a service's name decides.

The named services are entries of the files of services of both Windows and Linux.
"""

from __future__ import annotations

from functools import partial

from tests.conformance.recorder import Json
from winsock import AF_INET, AI_NUMERICSERV, SOCK_DGRAM, SOCK_STREAM

from .. import sources
from ..facts import DOCUMENTED, TESTED, Topic
from ..lookups import entries, port_and_type

topic = Topic("services")

GETADDRINFO = f"{sources.REFERENCE}/api/ws2tcpip/nf-ws2tcpip-getaddrinfo"
REACTOS = f"{sources.REACTOS}/getaddrinfo.c"

# Windows takes the low 16 bits of an unsigned number of 32 bits.
_REFUSED = "the C library refuses this number"
for _name, _service, _situation, _port, _wine in (
    ("a_port_of_65536", "65536", "the port 65536", 0, ""),
    ("a_port_above_65536", "65600", "the port 65600", 64, ""),
    ("the_largest_number_of_32_bits", "4294967295", "the port 2**32 - 1", 65535, _REFUSED),
    ("a_port_of_more_than_32_bits", "4294967296", "the port 2**32", 65535, _REFUSED),
    ("a_port_of_20_digits", "7" * 20, "a port of 20 digits", 65535, _REFUSED),
    ("a_port_of_minus_1", "-1", "the port -1", 65535, _REFUSED),
    ("a_port_of_minus_6", "-6", "the port -6", 65530, _REFUSED),
    ("a_port_of_minus_65000", "-65000", "the port -65000", 536, _REFUSED),
    ("a_port_of_minus_65536", "-65536", "the port -65536", 0, _REFUSED),
    ("a_port_of_minus_65537", "-65537", "the port -65537", 65535, _REFUSED),
    ("a_port_with_a_plus_sign", "+70", "a port with a plus sign", 70, ""),
    ("a_port_after_a_blank", " 21", "a port after a blank", 21, ""),
    ("a_port_after_several_blanks", "   21", "a port after three blanks", 21, ""),
    ("a_port_with_a_leading_zero", "0600", "a port with a leading zero, which is decimal", 600, ""),
    ("an_empty_service", "", "an empty service", 0, ""),
):
    topic.add(
        _name, "getaddrinfo", _situation, [[_port, 0]], REACTOS, TESTED, partial(port_and_type, _service), wine=_wine
    )

for _name, _service, _situation in (
    ("a_hexadecimal_port", "0x2c", "a hexadecimal number as service"),
    ("a_port_before_letters", "17x", "a service that begins with a number"),
    ("a_port_before_a_blank", "17 ", "a port with a blank after it"),
    ("a_port_after_a_colon", ":9", "a port after a colon"),
    ("an_unknown_service", "unknown", "the name of no service"),
):
    observe = partial(port_and_type, _service)
    topic.add(_name, "getaddrinfo", _situation, ["WSATYPE_NOT_FOUND"], REACTOS, TESTED, observe)

_NO_TYPE = "it leaves the type open"
for _name, _service, _situation, _result, _wine in (
    ("the_type_of_a_stream_service", "http", "a service of streams, any type", [80, SOCK_STREAM], _NO_TYPE),
    ("the_type_of_a_datagram_service", "router", "a service of datagrams, any type", [520, SOCK_DGRAM], _NO_TYPE),
    ("the_type_of_a_service_of_both_types", "domain", "a service of both types, any type", [53, 0], ""),
    ("the_alias_of_a_service", "mail", "the alias of a service: mail is smtp", [25, SOCK_STREAM], _NO_TYPE),
):
    topic.add(
        _name, "getaddrinfo", _situation, [_result], REACTOS, TESTED, partial(port_and_type, _service), wine=_wine
    )

for _name, _service, _situation, _result in (
    # Some files of services have http for both types.
    ("a_service_of_the_other_type", "smtp", "a service of streams, for datagrams", "WSATYPE_NOT_FOUND"),
    ("a_service_of_the_same_type", "router", "a service of datagrams, for datagrams", [520, SOCK_DGRAM]),
):
    observe = partial(port_and_type, _service, SOCK_DGRAM)
    topic.add(_name, "getaddrinfo", _situation, [_result], f"{GETADDRINFO}: EAI_SERVICE", DOCUMENTED, observe)


@topic.fact(
    "getaddrinfo",
    "AI_NUMERICSERV with the name of a service; Microsoft's providers do not support the flag",
    windows=["WSAHOST_NOT_FOUND", 80],
    source=f"{GETADDRINFO}: AI_NUMERICSERV",
    certainty=DOCUMENTED,
)
def the_name_of_a_service_where_a_number_is_required() -> Json:
    found = entries(None, "http", AI_NUMERICSERV, AF_INET)
    return found if isinstance(found, str) else found[0][2]
