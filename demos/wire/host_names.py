"""Host names that are not ASCII, in the form in which a resolver and a browser take them (xn--).

Python's codec follows IDNA 2003. Browsers follow IDNA 2008, which keeps some letters that IDNA 2003 changes: the older
version replaces ß by ss and a final sigma by another sigma, and deletes joiners between letters. Then the two forms may
belong to different hosts, so such a name is refused. A name with a character that IDNA 2003 does not know is refused
too.
"""

from __future__ import annotations

import re
import stringprep
import unicodedata
from encodings.idna import nameprep

# The characters that separate the parts of a name.
_DOTS = re.compile("[.\u3002\uff0e\uff61]")


def ascii_name(host: str) -> str:
    """The ASCII form of a host name; an ASCII name is returned as it is.

    Errors: ValueError with the reason when the name has none, or a different one in IDNA 2003 and IDNA 2008.
    """
    if host.isascii():
        return host
    try:
        ambiguous = any(_is_ambiguous(part) for part in _DOTS.split(host))
        name = host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError(f"invalid host name: {host!r} ({error})") from None
    if ambiguous:
        raise ValueError(
            f"ambiguous host name: {host!r} may be another name in IDNA 2003 than in IDNA 2008; use the form that "
            "begins with xn--"
        )
    return name


def _is_ambiguous(part: str) -> bool:
    """Whether the versions may have different forms of a part of a name. Errors: UnicodeError."""
    prepared = nameprep(part)
    # Lower case with all letters. One letter at a time: lower() of a whole word makes the last sigma a final one.
    kept = unicodedata.normalize("NFKC", "".join(letter.lower() for letter in part))
    return prepared != kept or any(stringprep.in_table_a1(letter) for letter in prepared)
