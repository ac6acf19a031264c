"""Host names that are not ASCII: the same form as in a browser, or an error."""

from __future__ import annotations

import pytest

from demos.wire.addresses import AddressError, find_address
from demos.wire.host_names import ascii_name
from winsock import SOCK_STREAM

AMBIGUOUS = [
    "fa\u00df.de",
    "FA\u1e9e.de",
    "www.fa\u00df\u3002de",
    "\u03b2\u03cc\u03bb\u03bf\u03c2.com",
    "\U0001d6d3.gr",
    "\u0915\u094d\u200d\u0937.com",
    "\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.com",
    "b\u00fc\u00adcher.example",
    "\u13a0.com",
    "\uab70.com",
    "\u1fb3.gr",
]


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("localhost", "localhost"),
        ("not a name", "not a name"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("B\u00dcCHER.Example.", "xn--bcher-kva.Example."),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),
        ("\u65e5\u672c\u3002jp", "xn--wgv71a.jp"),
        ("\uff41.com", "a.com"),
        ("\u039f\u0394\u039f\u03a3.gr", "xn--pxavbq.gr"),
        ("\u05d0\u05d1.com", "xn--4dbc.com"),
    ],
)
def test_a_name_has_the_form_that_browsers_use(host, name):
    assert ascii_name(host) == name


@pytest.mark.parametrize("host", AMBIGUOUS)
def test_a_name_with_different_forms_in_idna_2003_and_2008_is_an_error_that_asks_for_the_ascii_form(host):
    with pytest.raises(ValueError, match=r"^ambiguous host name: .* use the form that begins with xn--$"):
        ascii_name(host)


@pytest.mark.parametrize("host", ["\u00e9..a", "\u00e9" * 70, "\u00e9\ud800", "\u05d0a.com"])
def test_a_name_without_an_ascii_form_is_invalid(host):
    with pytest.raises(ValueError, match=r"^invalid host name: "):
        ascii_name(host)


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize("host", AMBIGUOUS)
def test_an_ambiguous_name_is_not_resolved(host):
    with pytest.raises(AddressError, match="ambiguous host name: ") as error:
        find_address(host, 80, SOCK_STREAM)
    assert not error.value.temporary
