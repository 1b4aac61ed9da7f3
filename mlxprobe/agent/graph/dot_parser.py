"""Take MLX's drawing of a lazy graph apart: operations, what they are given, and what they make."""

from __future__ import annotations

import re

NODE = re.compile(r'\n\{ (\d+) \[label ="([^"]*)"')
TAKES, MAKES = re.compile(r'\n"([^"]*)" -> (\d+)'), re.compile(r'\n(\d+) -> "([^"]*)"')
FUSED = {  # operations that GPUs have kernels for, as they are drawn elsewhere: names, kinds, and what each is given
    "CrossEntropy": (
        ("largest", "Max", ("0",)),
        ("constant", "StopGradient", ("largest",)),
        ("each", "Broadcast", ("constant",)),
        ("shifted", "Subtract", ("0", "each")),
        ("sum", "LogSumExp", ("shifted",)),
        ("total", "Squeeze", ("sum",)),
        ("ids", "ExpandDims", ("1",)),
        ("chosen", "GatherAxis", ("shifted", "ids")),
        ("score", "Squeeze", ("chosen",)),
        ("made", "Subtract", ("total", "score")),
    )
}
Parts = tuple[dict[str, str], dict[str, str], dict[str, list[str]]]


def taken_apart(dot: str) -> Parts:
    """Return the kind of each operation, the operation that makes each array, and the arrays that each is given.

    What a GPU's kernel does in one is spelled out as it is drawn where there is no such kernel.
    """
    kinds: dict[str, str] = dict(NODE.findall(dot))
    makers: dict[str, str] = {tensor: node for node, tensor in MAKES.findall(dot)}
    inputs: dict[str, list[str]] = {}
    for tensor, node in TAKES.findall(dot):
        inputs.setdefault(node, []).append(tensor)
    for kind in FUSED:
        if f'"{kind}"' in dot:
            _spell_out(kind, kinds, makers, inputs)
    return kinds, makers, inputs


def _spell_out(kind: str, kinds: dict[str, str], makers: dict[str, str], inputs: dict[str, list[str]]) -> None:
    results = {node: tensor for tensor, node in makers.items() if kinds.get(node) == kind}
    for node, result in results.items():
        given = {str(k): one for k, one in enumerate(inputs.pop(node, []))}
        for name, what, sources in FUSED[kind]:
            step = f"{node}.{name}"
            kinds[step], makers[given.setdefault(name, step)] = what, step
            inputs[step] = [given[one] for one in sources if one in given]
        makers[result] = f"{node}.made"
        del kinds[node]
