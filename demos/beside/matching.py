"""Recognizes which of the article's programs a listing is.

The procedures' names decide, and the names of the calls of Winsock: those of the listing are compared with those of our
program. A reader may have changed, added or removed some, so the best match of at least one half counts.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import NamedTuple

import winsock
from demos.beside.mql_listings import Listing, Procedure
from demos.beside.studies import Study, all_studies

__all__ = ["Match", "best_match", "matches_in", "nearest"]

_ENOUGH = 0.5
_CALL = re.compile(r"\b([A-Za-z_]\w*)\s{0,100}\(")
_CALLS_OF_WINSOCK = {name for name in dir(winsock) if callable(getattr(winsock, name))}


class Match(NamedTuple):
    """A reader's listing and the study program that is its port."""

    study: Study
    listing: Listing

    @property
    def theirs(self) -> dict[str, Procedure]:
        """The procedures of the listing by name; those of the same name are one, in the order of the listing."""
        found: dict[str, Procedure] = {}
        for procedure in self.listing.procedures:
            old = found.get(procedure.name)
            if old is None:
                found[procedure.name] = procedure._replace(lines=[*procedure.lines])
            else:
                old.lines.extend([(0, ""), *procedure.lines])
                found[procedure.name] = old._replace(complete=old.complete and procedure.complete)
        return found

    @property
    def missing(self) -> list[str]:
        """The procedures of the article's listing that the reader's listing lacks."""
        theirs = self.theirs
        return [part.name for part in self.study.parts if part.position and part.name not in theirs]

    @property
    def additional(self) -> list[str]:
        """The procedures of the reader's listing that neither the article's listing nor our program has."""
        ours = {part.name for part in self.study.parts}
        return [name for name in self.theirs if name not in ours]

    @property
    def incomplete(self) -> list[str]:
        """The procedures whose closing brace was not found."""
        return [procedure.name for procedure in self.theirs.values() if not procedure.complete]


def matches_in(listings: list[Listing]) -> list[Match]:
    """The listings that are programs of the article, in the order of `all_studies`; the best one of each program."""
    best: dict[str, tuple[float, Match]] = {}
    for listing in listings:
        rated = sorted(((_similarity(study, listing), study.name) for study in all_studies().values()), reverse=True)
        (similarity, name), (second, _) = rated[:2]
        match = Match(all_studies()[name], listing)
        # The calls alone do not make a program of the article.
        if similarity < _ENOUGH or similarity == second or len(match.missing) == match.study.procedures:
            continue
        if best.get(name, (0.0,))[0] < similarity:
            best[name] = (similarity, match)
    return [best[name][1] for name in all_studies() if name in best]


def best_match(study: Study, listings: list[Listing]) -> Match | None:
    """The listing that is most similar to a program; None if no listing has one of its procedures."""
    names = {part.name for part in study.parts if part.position}
    possible = [listing for listing in listings if names & {procedure.name for procedure in listing.procedures}]
    if not possible:
        return None
    return Match(study, max(possible, key=lambda listing: _similarity(study, listing)))


def nearest(listings: list[Listing]) -> Match | None:
    """The program and the listing that are most similar; None if no listing has a procedure of a program."""
    matches = [match for study in all_studies().values() if (match := best_match(study, listings))]
    return max(matches, key=lambda match: _similarity(match.study, match.listing), default=None)


def _similarity(study: Study, listing: Listing) -> float:
    """How many of all names the program and the listing have in common, from 0 to 1."""
    ours = _names_of(study.name)
    calls = {name for name in _CALL.findall(listing.code) if name in _CALLS_OF_WINSOCK}
    theirs = {procedure.name for procedure in listing.procedures} | calls
    return len(ours & theirs) / len(ours | theirs)


@cache
def _names_of(name: str) -> frozenset[str]:
    """The procedures of a program's listing, and the calls of Winsock in our program."""
    study = all_studies()[name]
    tree = ast.parse("\n".join(study.lines))
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    return frozenset({part.name for part in study.parts if part.position} | (called & _CALLS_OF_WINSOCK))
