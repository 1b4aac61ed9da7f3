"""A scenario's files with other sizes, other seeds or another optimizer: what it shows must not hang on those."""

from __future__ import annotations

import ast
import random
from collections.abc import Collection
from pathlib import Path

from mlxprobe.catalogue.discovery import Entry, read

KINDS = ("sizes", "seeds", "optimizers")
FACTORS = {  # those by which a constant of this name may be multiplied: heads divide widths, rules need powers of two
    "WIDTH": (1, 2, 3),
    "BATCH": (1, 2, 3),
    "ROWS": (1, 2, 3),
    "size": (1, 2, 3),
    **dict.fromkeys(("VOCABULARY", "LENGTH", "LAYERS", "FEATURES", "CLASSES", "RANK", "SERIES_LENGTH"), (1, 2)),
}
SEEDED = ("seed", "key", "default_rng")
OPTIMIZERS: dict[str, tuple[tuple[str, dict[str, bool | float]], ...]] = {  # that take the same rate
    **dict.fromkeys(
        ("Adam", "AdamW"), (("Adam", {}), ("AdamW", {}), ("Adamax", {}), ("Adam", {"bias_correction": True}))
    ),
    "SGD": (("SGD", {"momentum": 0.2}), ("SGD", {"momentum": 0.4}), ("SGD", {"momentum": 0.3, "nesterov": True})),
}


def written(entry: Entry, number: int, folder: Path, kinds: Collection[str] = KINDS) -> Entry:
    """Write a scenario's file, and those that it shares with others, with one draw's changes; return it from there."""
    for file in (entry.file, *entry.file.parent.glob("_*.py")):
        text = varied(file.read_text(encoding="utf-8"), f"{entry.name}:{number}", kinds)
        (folder / file.name).write_text(text, encoding="utf-8")
    return read(folder / entry.file.name)


def varied(text: str, draw: str, kinds: Collection[str] = KINDS) -> str:
    """Return a file's text with the changes of a draw, the same wherever a name or an optimizer occurs."""
    return ast.unparse(ast.fix_missing_locations(_Change(draw, kinds).visit(ast.parse(text)))) + "\n"


class _Change(ast.NodeTransformer):
    """Change constants, seeds and optimizers; each choice is its own draw, so that one kind leaves the others alone."""

    def __init__(self, draw: str, kinds: Collection[str]) -> None:
        self._draw, self._kinds = draw, kinds

    def _chosen(self, what: str) -> random.Random:
        return random.Random(f"{self._draw}:{what}")  # noqa: S311 - the same everywhere

    def visit_Assign(self, node: ast.Assign) -> ast.Assign:
        self.generic_visit(node)
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=True))
            for one, value in pairs:
                if isinstance(one, ast.Name):
                    self._resized(one.id, value)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        named = node.args.args[len(node.args.args) - len(node.args.defaults) :]
        for one, value in zip(named, node.args.defaults, strict=True):
            self._resized(one.arg, value)
        return node

    def _resized(self, name: str, value: ast.expr) -> None:
        if "sizes" in self._kinds and name in FACTORS and isinstance(value, ast.Constant):
            value.value *= self._chosen(name).choice(FACTORS[name])  # type: ignore[operator]

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        if not isinstance(node.func, ast.Attribute):
            return node
        if "seeds" in self._kinds and node.func.attr in SEEDED and len(node.args) == 1:
            node.args = [ast.BinOp(node.args[0], ast.Add(), ast.Constant(self._chosen("seed").randint(1, 999)))]
        plain = len(node.args) + len(node.keywords) == 1
        if "optimizers" in self._kinds and plain and (known := OPTIMIZERS.get(node.func.attr)):
            node.func.attr, named = self._chosen("optimizer").choice(known)
            node.keywords += [ast.keyword(key, ast.Constant(value)) for key, value in named.items()]
        return node
