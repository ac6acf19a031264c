"""Which hosts an HTTP request names; a server compares them with the hosts that it serves.

The header Host and an absolute URL are parsed strictly (RFC 9110 and RFC 3986): a name, an IPv4 address or an IPv6
address in brackets, then optionally a colon and a port, which may be empty. Anything else is invalid: a parser that
skips what it does not understand would take ``[::1].evil.example`` for ``::1``. An IPv4 address in another notation,
such as 0x7f.1, is a name like any other, and so it is not served.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import AddressValueError, IPv6Address
from typing import Protocol

from demos.wire.host_names import ascii_name

_MAX_NAME = 253
_HIGHEST_PORT = 65535

# The underscore occurs in names of containers. A dot at the end marks a complete name.
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?", re.ASCII)
_HOST_AND_PORT = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[^\[\]:]+)(:(?P<port>[0-9]{0,5}))?", re.ASCII)
# The scope of an IPv6 address, as in fe80::5%2 and [fe80::5%eth0]:8080. It has a meaning on its own machine only, so a
# client leaves it out of the request.
_SCOPED = re.compile(r"(\[?[0-9a-f]*:[0-9a-f:.]*)%[^%\[\]]+((?:\](?::[0-9]*)?)?)", re.ASCII | re.I)
_ABSOLUTE = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<rest>.*)", re.ASCII | re.DOTALL | re.I
)


class Request(Protocol):
    """What is used of an h11.Request."""

    @property
    def headers(self) -> Iterable[tuple[bytes, bytes]]: ...
    @property
    def target(self) -> bytes: ...
    @property
    def http_version(self) -> bytes: ...


def host_of(text: str) -> str | None:
    """The host in ``host``, ``host:port`` or ``[address]:port``; None when it is anything else.

    A name is in lower case and has no dot at its end; an IPv6 address is in its short form, without the brackets.
    """
    found = _HOST_AND_PORT.fullmatch(text.lower() if text.isascii() else "")
    if not found or int(found["port"] or 0) > _HIGHEST_PORT:
        return None
    host = found["host"]
    if host.startswith("["):
        return _ipv6(host[1:-1])
    return host.removesuffix(".") if len(host) <= _MAX_NAME and _NAME.fullmatch(host) else None


def option_host(text: str) -> str | None:
    """The host in a command-line option: as in host_of(), or an IPv6 address without brackets, or a non-ASCII name.

    The scope of an IPv6 address is left out.
    """
    try:
        name = ascii_name(text)
    except ValueError:
        return None
    if scoped := _SCOPED.fullmatch(name):
        name = scoped[1] + scoped[2]
    return host_of(name) or _ipv6(name)


def option_hosts(text: str) -> frozenset[str]:
    """The hosts in a list that is separated by commas or blanks; hosts_problem() has accepted it."""
    return frozenset(host for each in _words(text) if (host := option_host(each)) is not None)


def hosts_problem(text: str) -> str | None:
    """Why a list of hosts cannot be served, or None when it can; an empty text is an empty list."""
    if text and not _words(text):
        return f"no host name in {text!r}: use names or addresses, or leave it empty"
    for each in _words(text):
        try:
            ascii_name(each)
        except ValueError as error:
            return str(error)
        if option_host(each) is None:
            return f"invalid host name: {each!r}; use names or addresses without http:// and path"
    return None


def hosts_of(request: Request) -> Iterator[str]:
    """What a request names as its host: the values of its header Host, and the authority of an absolute URL.

    HTTP/1.0 may name none: browsers do not use it.
    """
    names = [value.decode("latin-1") for name, value in request.headers if name == b"host"]
    yield from names if names or request.http_version == b"1.0" else [""]
    if url := _ABSOLUTE.fullmatch(request.target.decode("latin-1")):
        yield url["authority"]


def path_of(request: Request) -> str:
    """The path in a request's target, which may be an absolute URL; without query and fragment."""
    target = request.target.decode("latin-1")
    url = _ABSOLUTE.fullmatch(target)
    if url and url["scheme"].lower() in ("http", "https"):
        target = url["rest"] if url["rest"].startswith("/") else "/" + url["rest"]
    return target.partition("?")[0].partition("#")[0]


def _ipv6(text: str) -> str | None:
    try:
        return str(IPv6Address(text))
    except AddressValueError:
        return None


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()
