"""The constants have Winsock's values, whatever values the operating system has."""

import ctypes

import pytest

from winsock import constants, errors
from winsock.constants import (
    AF_INET6,
    FIOASYNC,
    FIONBIO,
    FIONREAD,
    INVALID_SOCKET,
    IOC_IN,
    IOC_OUT,
    IOCPARM_MASK,
    POLLIN,
    POLLOUT,
    POLLRDBAND,
    POLLRDNORM,
    POLLWRNORM,
    SIO_KEEPALIVE_VALS,
    SIO_UDP_CONNRESET,
    SIOCATMARK,
    SO_DONTLINGER,
    SO_EXCLUSIVEADDRUSE,
    SO_LINGER,
    SO_REUSEADDR,
    SOL_SOCKET,
    SOMAXCONN,
)

U_LONG_SIZE = 4


def io_command(direction: int, group: str, number: int) -> int:
    """The macros _IOR and _IOW of winsock2.h for a u_long."""
    return direction | (U_LONG_SIZE & IOCPARM_MASK) << 16 | ord(group) << 8 | number


def public_names(module: object) -> set[str]:
    return {name for name, value in vars(module).items() if not name.startswith("_") and type(value) is int}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WSADESCRIPTION_LEN", 256),
        ("WSASYS_STATUS_LEN", 128),
        ("SOCKET_ERROR", -1),
        ("NO_ERROR", 0),
        ("AF_INET", 2),
        ("SOCK_STREAM", 1),
        ("SOCK_DGRAM", 2),
        ("IPPROTO_TCP", 6),
        ("IPPROTO_UDP", 17),
        ("SD_RECEIVE", 0),
        ("SD_SEND", 1),
        ("SD_BOTH", 2),
        ("IOCPARM_MASK", 0x7F),
        ("IOC_IN", 0x80000000),
    ],
)
def test_the_constants_of_the_article_have_its_values(name: str, value: int) -> None:
    assert getattr(constants, name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MSG_WAITALL", 8),
        ("SO_BROADCAST", 0x20),
        ("SO_RCVBUF", 0x1002),
        ("SO_RCVTIMEO", 0x1006),
        ("SO_ERROR", 0x1007),
        ("SO_TYPE", 0x1008),
        ("TCP_KEEPALIVE", 3),
        ("TCP_KEEPCNT", 16),
        ("TCP_KEEPINTVL", 17),
        ("IP_TTL", 4),
        ("IP_ADD_MEMBERSHIP", 12),
        ("IPV6_V6ONLY", 27),
        ("AI_NUMERICSERV", 8),
        ("AI_ADDRCONFIG", 0x400),
        ("NI_DGRAM", 0x10),
        ("FD_SETSIZE", 64),
        ("INET_ADDRSTRLEN", 22),
        ("INET6_ADDRSTRLEN", 65),
        ("NI_MAXHOST", 1025),
        ("NI_MAXSERV", 32),
        ("INADDR_LOOPBACK", 0x7F000001),
        ("INADDR_NONE", 0xFFFFFFFF),
    ],
)
def test_constants_that_differ_between_systems_have_the_values_of_windows(name: str, value: int) -> None:
    assert getattr(constants, name) == value


def test_af_inet6_and_sol_socket_are_winsocks_on_every_platform() -> None:
    assert (AF_INET6, SOL_SOCKET) == (23, 0xFFFF)


def test_somaxconn_has_the_value_of_winsock_2_and_not_128() -> None:
    assert SOMAXCONN == 0x7FFFFFFF


def test_invalid_socket_is_all_ones_in_the_width_of_a_pointer() -> None:
    assert ctypes.c_void_p(-1).value == INVALID_SOCKET
    assert INVALID_SOCKET > 0


def test_fionbio_and_the_articles_negative_int_are_the_same_32_bits() -> None:
    articles = ctypes.c_int32(FIONBIO).value
    assert articles == -2147195266
    assert articles % 2**32 == FIONBIO == 0x8004667E


def test_the_commands_of_ioctlsocket_are_the_values_of_the_macros_in_the_headers() -> None:
    assert io_command(IOC_IN, "f", 126) == FIONBIO
    assert io_command(IOC_IN, "f", 125) == FIOASYNC
    assert io_command(IOC_OUT, "f", 127) == FIONREAD
    assert io_command(IOC_OUT, "s", 7) == SIOCATMARK


def test_vendor_control_codes_have_the_documented_values() -> None:
    assert SIO_UDP_CONNRESET == 0x9800000C
    assert SIO_KEEPALIVE_VALS == 0x98000004


def test_options_that_are_bitwise_complements_are_negative_c_ints() -> None:
    assert (SO_DONTLINGER, SO_EXCLUSIVEADDRUSE) == (-129, -5)
    assert ctypes.c_int32(~SO_LINGER).value == SO_DONTLINGER
    assert ctypes.c_int32(~SO_REUSEADDR).value == SO_EXCLUSIVEADDRUSE


def test_pollin_and_pollout_are_made_of_winsocks_events() -> None:
    assert POLLIN == POLLRDNORM | POLLRDBAND == 0x300
    assert POLLOUT == POLLWRNORM == 0x10


def test_every_protocol_family_is_its_address_family() -> None:
    families = [name for name in constants.__all__ if name.startswith("PF_")]
    assert "PF_INET6" in families
    for name in families:
        assert getattr(constants, name) == getattr(constants, "AF_" + name.removeprefix("PF_")), name


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("EAI_AGAIN", "WSATRY_AGAIN"),
        ("EAI_BADFLAGS", "WSAEINVAL"),
        ("EAI_FAIL", "WSANO_RECOVERY"),
        ("EAI_FAMILY", "WSAEAFNOSUPPORT"),
        ("EAI_MEMORY", "WSA_NOT_ENOUGH_MEMORY"),
        ("EAI_NONAME", "WSAHOST_NOT_FOUND"),
        ("EAI_NODATA", "WSAHOST_NOT_FOUND"),
        ("EAI_SERVICE", "WSATYPE_NOT_FOUND"),
        ("EAI_SOCKTYPE", "WSAESOCKTNOSUPPORT"),
        ("EAI_NOSECURENAME", "WSA_SECURE_HOST_NOT_FOUND"),
        ("EAI_IPSECPOLICY", "WSA_IPSEC_NAME_POLICY_ERROR"),
    ],
)
def test_an_eai_code_equals_the_winsock_error_of_the_header(name: str, error: str) -> None:
    assert getattr(constants, name) == getattr(errors, error)


def test_every_constant_is_a_plain_int_and_listed() -> None:
    assert set(constants.__all__) == public_names(constants)
    assert len(constants.__all__) == len(set(constants.__all__))
