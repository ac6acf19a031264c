"""Listings for the tests of `demos beside`: MQL of our own with the article's procedure names."""

from __future__ import annotations

import ast

import winsock
from demos.beside.studies import Study, all_studies

STUDIES = all_studies()


def calls_of(study: Study) -> list[str]:
    """The calls of Winsock in our program."""
    tree = ast.parse("\n".join(study.lines))
    names = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    return sorted(name for name in names if name in winsock.__all__)


def procedures_of(study: Study) -> list[str]:
    """The procedures of the article's listing."""
    return [part.name for part in study.parts if part.position]


def listing(name: str, without: tuple[str, ...] = (), more: str = "") -> str:
    """A listing with the procedures of a program; the first one makes all its calls of Winsock."""
    study = STUDIES[name]
    body = "".join(f"   {call}();\n" for call in calls_of(study))
    procedures = []
    for procedure in procedures_of(study):
        if procedure not in without:
            procedures.append(f"//--- about {procedure}\nvoid {procedure}(int a,string b)\n  {{\n{body}  }}\n")
            body = '   Print("} is no brace"); // nor is {\n'
    return f'//+----+\n//| café |\n#property version "1.0"\ninput string Host="h";\n{"".join(procedures)}{more}'
