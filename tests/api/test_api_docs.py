"""winsock.api documents every call in the same form: C prototype, description, errors, source."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import winsock
from winsock import api, constants, errors, structures
from winsock.api import CALLS, Winsock

# The calls of the contract, in its order.
CONTRACT = [
    "WSAStartup",
    "WSACleanup",
    "WSAGetLastError",
    "WSASetLastError",
    "socket",
    "ioctlsocket",
    "bind",
    "connect",
    "listen",
    "accept",
    "send",
    "recv",
    "sendto",
    "recvfrom",
    "shutdown",
    "closesocket",
    "getsockname",
    "getpeername",
    "setsockopt",
    "getsockopt",
    "select",
    "WSAPoll",
    "htons",
    "ntohs",
    "htonl",
    "ntohl",
    "inet_addr",
    "inet_ntoa",
    "inet_ntop",
    "inet_pton",
    "gethostname",
    "getaddrinfo",
    "freeaddrinfo",
    "getnameinfo",
    "gethostbyname",
]
WS2TCPIP = {"inet_ntop", "inet_pton", "getaddrinfo", "freeaddrinfo", "getnameinfo"}
PREFIXES = "AF|AI|EAI|INADDR|INET|INET6|INVALID|IPV6|MSG|NI|SD|SIO|SO|SOCK|SOCKET|TCP"
NAME = re.compile(rf"\b(?:WSA|FIO|POLL|(?:{PREFIXES})_)\w+")


def documentation(call: str) -> str:
    text = inspect.getdoc(getattr(Winsock, call))
    assert text is not None
    return text


def parameters(call: object) -> list[str]:
    return [name for name in inspect.signature(call).parameters if name != "self"]  # type: ignore[arg-type]


def prototype(call: str) -> tuple[str, list[str]]:
    """The name that the C prototype at the start of the documentation declares, and its parameters' names."""
    declaration = documentation(call).split("\n\n")[0].replace("\n", " ")
    match = re.fullmatch(r"[\w ]+[ *](\w+)\((.*)\);", declaration)
    assert match is not None, declaration
    name, arguments = match.groups()
    if arguments == "void":
        return name, []
    return name, [re.split(r"[ *]+", argument)[-1] for argument in arguments.split(",")]


def test_the_protocol_has_the_calls_in_the_order_of_the_contract() -> None:
    assert list(CALLS) == CONTRACT


@pytest.mark.parametrize("call", CONTRACT)
def test_the_documentation_of_a_call_starts_with_its_c_prototype(call: str) -> None:
    # `from` and `in` are Python keywords, so these parameters end in an underscore.
    assert prototype(call) == (call, [name.rstrip("_") for name in parameters(getattr(Winsock, call))])


@pytest.mark.parametrize("call", CONTRACT)
def test_a_call_documents_its_errors_with_their_causes_or_says_that_it_has_none(call: str) -> None:
    match = re.search(r"^Errors:( none\.)?\n(.*?)^Source:", documentation(call), re.MULTILINE | re.DOTALL)
    assert match is not None
    none, listed = match.groups()
    entries = re.findall(r"^    (?=WSA)([^:\n]+): \S", listed, re.MULTILINE)
    assert bool(none) != bool(entries)
    for entry in entries:
        for code in re.findall(r"\w+", entry):
            assert hasattr(errors, code) or hasattr(constants, code), code


@pytest.mark.parametrize("call", CONTRACT)
def test_a_call_documents_its_page_of_the_microsoft_reference(call: str) -> None:
    header = "ws2tcpip" if call in WS2TCPIP else "winsock2"
    page = f"https://learn.microsoft.com/en-us/windows/win32/api/{header}/nf-{header}-{call.lower()}"
    assert documentation(call).splitlines()[-1] == f"Source: {page}"


@pytest.mark.parametrize("call", CONTRACT)
def test_every_winsock_name_in_the_documentation_exists(call: str) -> None:
    for name in NAME.findall(documentation(call)):
        assert name in CALLS or any(hasattr(module, name) for module in (constants, errors, structures)), name


# The type checker compares the types of a backend with the Protocol, but not the names of the parameters.


@pytest.mark.parametrize("call", CONTRACT)
def test_the_backend_has_the_parameter_names_of_the_protocol(call: str) -> None:
    assert parameters(getattr(winsock, call)) == parameters(getattr(Winsock, call))


def test_the_source_of_the_windows_backend_has_the_parameter_names_of_the_protocol() -> None:
    source = Path(str(api.__file__)).with_name("ws2_32.py").read_text(encoding="utf-8")
    functions = {node.name: node.args for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    assert {call: [argument.arg for argument in functions[call].args] for call in CONTRACT} == {
        call: parameters(getattr(Winsock, call)) for call in CONTRACT
    }
