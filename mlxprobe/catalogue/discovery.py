"""Find scenarios and read their declarations, without running their bodies or importing MLX."""

from __future__ import annotations

import ast
import difflib
import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mlxprobe.catalogue.declaration import Scenario, Variant
from mlxprobe.schema.enums import Outcome, Role
from mlxprobe.schema.errors import UsageError


@dataclass(frozen=True)
class Entry:
    """A scenario found: its name (the file's), its docstring, its variants, the correct one first."""

    name: str
    file: Path
    text: str
    scenario: Scenario
    variants: tuple[Variant, ...]
    reference: str = ""

    @property
    def title(self) -> str:
        """The docstring's first sentence."""
        return self.text.strip().split("\n")[0].rstrip(".")

    @property
    def correct(self) -> Variant:
        """The correct loop."""
        return self.variants[0]

    def ranks(self, variant: Variant) -> int:
        """Return how many processes run a variant together."""
        return variant.ranks or self.scenario.ranks

    def section(self, word: str) -> str:
        """Return the docstring's paragraph that begins with `word` and a colon."""
        for paragraph in self.text.split("\n\n"):
            for piece in ("\n" + paragraph).split(f"\n{word}:")[1:]:
                lines = piece.split("\n")
                stop = next(
                    (i for i, line in enumerate(lines) if i and line.split(":")[0] in (*SECTIONS, LIMITS)), len(lines)
                )
                return " ".join(" ".join(lines[:stop]).split())
        return ""


SECTIONS = ("Symptom", "Cause", "Fix")
LIMITS = "Limits"  # with which sizes, seeds or optimizers it shows something else


@dataclass(frozen=True)
class Broken:
    """A scenario file that cannot be used, and why."""

    file: Path
    problem: str


def own_folder() -> Path:
    """Return the folder of mlxprobe's own scenarios: in the wheel, or next to the package in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "_scenarios"
    return installed if installed.is_dir() else package.parent / "scenarios"


def find(folders: Sequence[str] = ()) -> tuple[list[Entry], list[Broken]]:
    """Read every scenario of mlxprobe's own folder and of `folders`; a file that fails hides no other.

    Raises:
        UsageError: a folder does not exist.
    """
    entries: dict[str, Entry] = {}
    broken: list[Broken] = []
    for folder in (own_folder(), *(Path(name) for name in folders)):
        if not folder.is_dir():
            raise UsageError(f"{folder}: no such folder of scenarios")
        for file in sorted(folder.glob("*.py")):
            if file.name.startswith("_") or (entries.get(name_of(file)) and entries[name_of(file)].file.samefile(file)):
                continue
            try:
                entry = read(file)
            except UsageError as error:
                broken.append(Broken(file, str(error)))
                continue
            other = entries.setdefault(entry.name, entry)
            if other is not entry:
                taken = f"the scenario name {entry.name} is taken by {other.file}; rename one of the files"
                broken.append(Broken(file, f"{file}: {taken}"))
    return list(entries.values()), broken


def name_of(file: Path) -> str:
    """Turn a scenario's file name into its name."""
    return file.stem.replace("_", "-")


def read(file: Path) -> Entry:
    """Read one scenario's declarations.

    Raises:
        UsageError: the file is no scenario, with the place and what would be right.
    """
    if file.exists() and not file.is_file():  # a pipe, say, which would be waited for
        raise UsageError(f"{file}: is no file")
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
        scenario = _declare(tree, file)
    except SyntaxError as error:
        raise UsageError(f"{file}:{error.lineno}: {error.msg}") from None
    except (UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{file}: cannot be read: {error}") from None
    except Exception as error:  # a declaration is the user's code and may raise anything
        raise UsageError(f"{file}: its declarations fail: {type(error).__name__}: {error}") from None
    shown = [variant for variant in scenario.variants if variant.role is not Role.REFERENCE]
    correct = [variant for variant in shown if variant.role is Role.CORRECT]
    if len(correct) != 1:
        raise UsageError(f"{file}: has {len(correct)} variants marked @probe.correct; exactly one is right")
    reference = [variant.name for variant in scenario.variants if variant.role is Role.REFERENCE]
    return Entry(
        name=name_of(file),
        file=file,
        text=ast.get_docstring(tree) or "",
        scenario=scenario,
        variants=(*correct, *(variant for variant in shown if variant not in correct)),
        reference=reference[0] if reference else "",
    )


def _declare(tree: ast.Module, file: Path) -> Scenario:
    """Execute the declarations alone: literals, `probe = Scenario(...)`, the decorators over emptied functions."""
    kept: list[ast.stmt] = []
    lines: dict[str, int] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and (_names_probe(node.targets[0]) or _is_literal(node.value)):
            kept.append(node)
        elif isinstance(node, ast.FunctionDef) and any(_uses_probe(one) for one in node.decorator_list):
            lines[node.name] = node.lineno
            text = node.body[:1] if ast.get_docstring(node) else []
            node.body = [*text, ast.Pass(lineno=node.lineno, col_offset=0)]
            node.args, node.returns = ast.arguments([], [], None, [], [], None, []), None
            kept.append(node)
    names: dict[str, object] = {"Scenario": Scenario, "Outcome": Outcome}
    exec(compile(ast.Module(kept, []), str(file), "exec"), names)  # noqa: S102 - declarations are Python
    probe = names.get("probe")
    if not isinstance(probe, Scenario):
        raise UsageError(f"{file}: has no line `probe = Scenario(...)`")
    probe.variants = [replace(variant, line=lines[variant.name]) for variant in probe.variants]
    return probe


def _names_probe(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) and target.id == "probe"


def _is_literal(value: ast.expr) -> bool:
    """Return whether an expression is made of constants, containers and outcomes alone."""
    plain = (ast.Constant, ast.Dict, ast.List, ast.Tuple, ast.Attribute, ast.Name, ast.expr_context)
    parts = list(ast.walk(value))
    names = {part.id for part in parts if isinstance(part, ast.Name)}
    return all(isinstance(part, plain) for part in parts) and names <= {"Outcome"}


def _uses_probe(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(called, ast.Attribute) and _names_probe(called.value) and called.attr != "score"


def select(entries: Iterable[Entry], patterns: Sequence[str]) -> list[tuple[Entry, tuple[Variant, ...]]]:
    """Choose scenarios and variants by `NAME[/VARIANT]`, each a name or a glob; all where none is given.

    Raises:
        UsageError: a pattern matches nothing; the nearest name is suggested.
    """
    entries = list(entries)
    chosen: dict[str, set[str]] = {}
    for pattern in patterns or ["*"]:
        name, _, variant = (part.replace("_", "-") for part in pattern.partition("/"))
        hits = [
            (entry.name, one.name)
            for entry in entries
            for one in entry.variants
            if fnmatch.fnmatchcase(entry.name, name) and fnmatch.fnmatchcase(one.name.replace("_", "-"), variant or "*")
        ]
        if not hits and patterns:
            raise UsageError(f"no scenario is called {pattern!r}{nearest(pattern, entries)}; `mlxprobe list` shows all")
        for scenario, one in hits:
            chosen.setdefault(scenario, set()).add(one)
    return [
        (entry, tuple(variant for variant in entry.variants if variant.name in chosen[entry.name]))
        for entry in entries
        if entry.name in chosen
    ]


def nearest(pattern: str, entries: Iterable[Entry]) -> str:
    """Suggest the name that is most like a mistyped one."""
    names = [
        name for entry in entries for name in (entry.name, *(f"{entry.name}/{one.name}" for one in entry.variants))
    ]
    close = difflib.get_close_matches(pattern.replace("_", "-"), names, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""
