"""Every Winsock error has its code, name and meaning, and a readable description."""

import pytest

from winsock import errors
from winsock.errors import WSAError, WSAErrorDescript

ALIASES = {
    "WSANO_ADDRESS": "WSANO_DATA",
    "HOST_NOT_FOUND": "WSAHOST_NOT_FOUND",
    "TRY_AGAIN": "WSATRY_AGAIN",
    "NO_RECOVERY": "WSANO_RECOVERY",
    "NO_DATA": "WSANO_DATA",
    "NO_ADDRESS": "WSANO_DATA",
}


@pytest.mark.parametrize(
    ("name", "code", "meaning"),
    [
        ("WSA_INVALID_HANDLE", 6, "Specified event object handle is invalid."),
        ("WSA_IO_PENDING", 997, "Overlapped operations will complete later."),
        ("WSAEINTR", 10004, "Interrupted function call."),
        ("WSAEFAULT", 10014, "Bad address."),
        ("WSAEWOULDBLOCK", 10035, "Resource temporarily unavailable."),
        ("WSAENOTSOCK", 10038, "Socket operation on nonsocket."),
        ("WSAEISCONN", 10056, "Socket is already connected."),
        ("WSAECONNREFUSED", 10061, "Connection refused."),
        ("WSAEREMOTE", 10071, "Item is remote."),
        ("WSANOTINITIALISED", 10093, "Successful WSAStartup not yet performed."),
        ("WSAEREFUSED", 10112, "Database query was refused."),
        ("WSAHOST_NOT_FOUND", 11001, "Host not found."),
        ("WSANO_DATA", 11004, "Valid name, no data record of requested type."),
        ("WSA_QOS_RECEIVERS", 11005, "QoS receivers."),
        ("WSA_QOS_RESERVED_PETYPE", 11031, "Reserved policy QoS element type."),
    ],
)
def test_an_error_has_the_code_and_the_meaning_of_microsoft(name: str, code: int, meaning: str) -> None:
    assert WSAError[name] == code
    assert WSAError(code).name == name
    assert WSAError(code).meaning == meaning


def test_the_qos_errors_have_no_gap() -> None:
    codes = sorted(error for error in WSAError if error.name.startswith("WSA_QOS_"))
    assert codes == list(range(11005, 11032))


def test_every_meaning_is_one_sentence() -> None:
    for error in WSAError:
        assert error.meaning.endswith("."), error.name
        assert "\n" not in error.meaning, error.name


def test_every_error_is_also_a_plain_int_of_its_own_name() -> None:
    for error in WSAError:
        constant = getattr(errors, error.name)
        assert type(constant) is int
        assert constant == error, error.name


def test_the_constants_are_the_errors_and_their_other_names_in_the_headers() -> None:
    plain = {name for name, value in vars(errors).items() if type(value) is int}
    assert plain == {error.name for error in WSAError} | set(ALIASES) | {"WSABASEERR"}
    for alias, name in ALIASES.items():
        assert getattr(errors, alias) == getattr(errors, name), alias
    assert errors.WSABASEERR == 10000
    assert sorted(errors.__all__) == sorted(plain | {"WSAError", "WSAErrorDescript"})


def test_a_description_gives_code_name_and_meaning() -> None:
    assert WSAErrorDescript(10035) == "(#10035) WSAEWOULDBLOCK: Resource temporarily unavailable."


def test_an_error_can_be_described_by_its_enum_member() -> None:
    assert WSAErrorDescript(WSAError.WSAEISCONN) == "(#10056) WSAEISCONN: Socket is already connected."


def test_every_error_can_be_described() -> None:
    for error in WSAError:
        assert WSAErrorDescript(int(error)) == f"(#{int(error)}) {error.name}: {error.meaning}"


def test_0_is_described_as_no_error() -> None:
    assert WSAErrorDescript(0) == "(#0) No error."


@pytest.mark.parametrize("code", [1, 9999, 10005, 12345, -1, -1073741811])
def test_an_unknown_code_is_described_as_unknown_with_its_number(code: int) -> None:
    assert WSAErrorDescript(code) == f"(#{code}) Unknown error code."


def test_a_code_with_too_many_digits_is_described_with_its_hexadecimal_number() -> None:
    assert WSAErrorDescript(1 << 20000) == f"(#{1 << 20000:#x}) Unknown error code."


@pytest.mark.parametrize("code", [None, "10035", 10035.0, b"10035"])
def test_an_error_code_that_is_not_an_int_is_a_type_error(code: object) -> None:
    with pytest.raises(TypeError, match=r"^WSAErrorDescript\(\) argument 'code': an integer is required, not '"):
        WSAErrorDescript(code)  # type: ignore[arg-type]
