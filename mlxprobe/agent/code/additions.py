"""Find the line that adds to a variable, in the source."""

from __future__ import annotations

import linecache
import re
from types import FunctionType
from typing import Any

from mlxprobe.agent.code import sites
from mlxprobe.agent.code.sites import Site
from mlxprobe.agent.wrapping import typed


def assigned(name: str, site: Site, kind: Any = None) -> Site:
    """Return the line that adds to a variable, where the source shows one; else where the frame stands.

    An attribute is added to by its own class first of all, wherever that is written.
    """
    word = re.escape(name.rpartition(".")[2].partition("[")[0])
    adds = re.compile(
        rf"\b{word}\b(\[.*\])?(\s*\+=|\.(append|extend)\(|\s*=.*\b{word}\b.*\+|\s*=.*\+.*\b{word}\b)"
        rf"|\b{word}\[.*\]\s*=[^=]"
    )
    for base in typed.lineage(kind) if kind is not None else ():
        for code in [one.__code__ for one in typed.namespace(base).values() if typed.is_a(one, FunctionType)]:
            for number in sorted({line for _, _, line in code.co_lines() if line}):
                if adds.search(linecache.getline(code.co_filename, number)):
                    return code.co_filename, number
    lines = linecache.getlines(site[0])
    one_line = (number for number, line in enumerate(lines, 1) if adds.search(line))
    number = next(one_line, 0) or renewed("".join(lines), word)
    return sites.moved(site, number) if number else site


def renewed(source: str, word: str) -> int:
    """Return the first line that makes a variable of what it was, over however many lines; 0 for none."""
    import ast

    def is_it(node: ast.AST) -> bool:
        return word in (getattr(node, "id", ""), getattr(node, "attr", ""))

    try:
        nodes = [one for one in ast.walk(ast.parse(source)) if isinstance(one, ast.Assign)]
    except (SyntaxError, ValueError, RecursionError):
        return 0
    makes = (one.lineno for one in nodes if any(map(is_it, one.targets)) and any(map(is_it, ast.walk(one.value))))
    return next(makes, 0)
