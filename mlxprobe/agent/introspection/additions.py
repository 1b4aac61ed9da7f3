"""Find the line that adds to a variable, in the source."""

from __future__ import annotations

import linecache
import re
import sys
from types import FunctionType
from typing import Any

from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.call_site import Site
from mlxprobe.agent.introspection.free_variables import functions
from mlxprobe.agent.patching import static

EVERYWHERE = range(1, sys.maxsize)


def assigned(name: str, site: Site, kind: Any = None) -> Site:
    """Return the line that adds to a variable, where the source shows one; else the line of the frame.

    An attribute is added to by its own class first of all, wherever that is written; a function's variable in that
    function alone, for others may never have run.
    """
    word = re.escape(name.rpartition(".")[2].partition("[")[0])
    adds = re.compile(
        rf"\b{word}\b(\[.*\])?(\s*\+=|\.(append|extend)\(|\s*=.*\b{word}\b.*\+|\s*=.*\+.*\b{word}\b)"
        rf"|\b{word}\[.*\]\s*=[^=]"
    )
    for base in static.lineage(kind) if kind is not None else ():
        for code in [one.__code__ for one in static.namespace(base).values() if static.is_a(one, FunctionType)]:
            for number in sorted({line for _, _, line in code.co_lines() if line}):
                if adds.search(linecache.getline(code.co_filename, number)):
                    return code.co_filename, number
    lines, inner = linecache.getlines(site[0]), function_at(site)
    found = [number for number, line in enumerate(lines, 1) if adds.search(line)] + renewed("".join(lines), word)
    here = [number for number in found if number in inner]
    if not here and ("." in name or inner == EVERYWHERE):
        here = found
    return call_site.moved(site, here[0]) if here else site


def function_at(site: Site) -> range:
    """Return the lines of the function around a line; those of the whole file outside of all functions."""
    named = [found for (name, _), found in functions(site[0]).items() if name != "<lambda>"]
    every = [one for found in named for one in found]
    around = [range(one.lineno, (one.end_lineno or one.lineno) + 1) for one in every]
    return min((one for one in around if site[1] in one), key=len, default=EVERYWHERE)


def renewed(source: str, word: str) -> list[int]:
    """List the lines that make a variable of what it was, over however many lines."""
    import ast

    def is_it(node: ast.AST) -> bool:
        return word in (getattr(node, "id", ""), getattr(node, "attr", ""))

    try:
        nodes = [one for one in ast.walk(ast.parse(source)) if isinstance(one, ast.Assign)]
    except (SyntaxError, ValueError, RecursionError):
        return []
    return [one.lineno for one in nodes if any(map(is_it, one.targets)) and any(map(is_it, ast.walk(one.value)))]
