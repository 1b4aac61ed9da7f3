"""Print the figures of the package's structure: lines, wrapped functions of MLX, untyped facts, fragments.

`python -m benchmarks.structure` reads the source and starts one watched Python. It changes nothing.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mlxprobe"
FRAGMENT_LINES = 80
ASSIGNERS = {"self", "cls"}

# Runs under `mlxprobe watch`: lists every attribute of MLX that is a function of ours, and how many layers it has.
WRAPPED = """
import sys
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim, mlx.utils

def layers(function):
    count = 0
    while function is not None:
        file = getattr(getattr(function, "__code__", None), "co_filename", "")
        count += "mlxprobe" in file
        function = getattr(function, "__wrapped__", None)
    return count

owners = {}
for name, module in list(sys.modules.items()):
    if name == "mlx" or name.startswith("mlx."):
        for owner in (module, *(one for one in vars(module).values() if isinstance(one, type))):
            if getattr(owner, "__module__", getattr(owner, "__name__", "")).startswith("mlx."):
                owners[id(owner)] = owner
seen = {}
for owner in owners.values():
    for name, function in vars(owner).items():
        if not isinstance(function, type) and (found := layers(function)):
            seen[id(function)] = found
print(len(seen), sum(seen.values()))
"""


def sources(folder: Path) -> dict[Path, str]:
    """Return the source text of every module in a folder."""
    return {file: file.read_text() for file in sorted(folder.rglob("*.py"))}


def wrapped() -> tuple[int, int]:
    """Return the number of wrapped attributes of MLX at the start of a watched program, and of their layers."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "wrapped.py")
        script.write_text(WRAPPED)
        done = subprocess.run(
            [sys.executable, "-m", "mlxprobe", "watch", str(script)],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
    attributes, layers = done.stdout.split()
    return int(attributes), int(layers)


def fact_names(texts: dict[Path, str]) -> set[str]:
    """Return the names of facts that the agent sends as texts: `….fact("a name", …)`."""
    return {
        node.args[0].value
        for text in texts.values()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("fact", "revise")
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }


def foreign_assignments(texts: dict[Path, str]) -> Iterator[str]:
    """List assignments to an attribute of another object: `recorder.idle = …`."""
    for file, text in texts.items():
        for node in ast.walk(ast.parse(text)):
            for target in _targets(node):
                if isinstance(target, ast.Attribute) and not _is_own(target.value):
                    yield f"{file.relative_to(ROOT)}:{target.lineno}: {ast.unparse(target)}"


def _targets(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, (ast.AnnAssign, ast.AugAssign)) else []


def _is_own(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id in ASSIGNERS


def fragments(texts: dict[Path, str]) -> list[Path]:
    """List the short modules that exactly one other module imports."""
    names = {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in texts}
    importers: Counter[Path] = Counter()
    for text in texts.values():
        found: set[str] = set()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        importers.update({names[name] for name in found & names.keys()})
    return [
        file
        for file, text in texts.items()
        if importers[file] == 1 and text.count("\n") <= FRAGMENT_LINES and file.name != "__init__.py"
    ]


def lines(texts: dict[Path, str]) -> int:
    """Count the lines of modules."""
    return sum(text.count("\n") for text in texts.values())


def main() -> None:
    """Print one figure to a line."""
    whole, agent = sources(PACKAGE), sources(PACKAGE / "agent")
    protocol = sources(PACKAGE / "protocol")
    attributes, layers = wrapped()
    text = "\n".join(whole.values())
    print(f"lines in agent/ and protocol/: {lines(agent) + lines(protocol):,}; in the package: {lines(whole):,}")
    print(f"attributes of MLX wrapped at the start: {attributes}; layers: {layers}")
    print(f"`.detail`: {text.count('.detail')}; `float(str(`: {text.count('float(str(')}")
    print(f"facts named by a text: {len(fact_names(agent))}")
    print(f"attributes that another module of agent/ sets: {len(list(foreign_assignments(agent)))}")
    print(f"modules of at most {FRAGMENT_LINES} lines with one importer: {len(fragments(whole))}")


if __name__ == "__main__":
    main()
