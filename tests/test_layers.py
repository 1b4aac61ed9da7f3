"""The dependency rule between packages, read off the imports."""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import mlxprobe

PACKAGE = Path(mlxprobe.__file__).parent
PROGRAMS = {"_scenarios", "programs"}  # folders of what is run, and is no part of any package
FILES = sorted(file for file in PACKAGE.rglob("*.py") if not PROGRAMS & {*file.relative_to(PACKAGE).parts[:-1]})
LAYERS = (  # from the lowest; a package imports from itself and from layers below
    {"system", "protocol"},
    {"schema", "agent"},
    {"rules", "catalogue", "settings"},
    {"diagnosis"},
    {"supervisor", "verdict"},
    {"releases", "runner"},
    {"cluster"},
    {"upgrade", "selftest", "api"},
    {"fuzz"},
    {"reports"},
    {"pytest_plugin", "integrations"},
    {"cli"},
)
INSIDE_THE_AGENT = (  # its own layers
    {"patching"},
    {"wire"},
    {"introspection", "graph", "intercept"},
    {"recording"},
    {"sampling"},
    {"replay"},
    {"nan_origin"},
    {"compiled"},
    {"hooks"},
    {"inspectors"},
    {"lifecycle"},
    {"bootstrap"},
)
INSIDE_THE_INSPECTORS = ({"losses"}, {"data"}, {"models"}, {"work"}, {"gradients"}, {"adapters", "ranks", "updates"})
PURE = (
    "protocol/",
    "schema/observation.py",
    "schema/record.py",
    "schema/enums.py",
    "schema/metrics.py",
    "diagnosis/",
    "rules/",
    "fuzz/array_values.py",
    "fuzz/derivatives.py",
    "fuzz/oracles.py",
    "fuzz/reference.py",
    "fuzz/script.py",
    "verdict/",
    "reports/",
    "upgrade/bisect_search.py",
    "upgrade/diff.py",
    "upgrade/compare.py",
    "upgrade/decision.py",
    "upgrade/matrix.py",
    "upgrade/metric_comparison.py",
)
INSIDE = "fuzz/child/"  # runs in the watched process, as the agent does
INSIDE_MODULE = "mlxprobe.fuzz.child"
OF_ONE_SYSTEM = r"sys\.platform|platform\.system\(|\buname\(|/proc\b|/sys/|prctl|[\"'](?:darwin|linux)[\"']"
DOES_IO = {"subprocess", "socket", "tempfile", "shutil", "psutil", "threading", "urllib", "os", "time"}


TEXTS = {file.relative_to(PACKAGE).as_posix(): file.read_text() for file in FILES}
TREES = {place: ast.parse(text) for place, text in TEXTS.items()}


def below(*folders: str) -> list[str]:
    """List the modules whose place begins with one of some folders."""
    return [place for place in TREES if place.startswith(folders)]


@cache
def imported(place: str) -> frozenset[str]:
    """Return the full names of all modules that a module imports, anywhere in it."""
    return frozenset(names(ast.walk(TREES[place])))


def names(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))


def roots(place: str) -> set[str]:
    """Return the distributions that a module imports, without the standard library."""
    return {name.split(".")[0] for name in imported(place)} - sys.stdlib_module_names


def packages_of(place: str, *above: str) -> set[str]:
    """Return the packages below `mlxprobe`, or below one of its packages, that a module imports from."""
    path = ("mlxprobe", *above)
    split = [name.split(".") for name in imported(place)]
    return {parts[len(path)] for parts in split if len(parts) > len(path) and tuple(parts[: len(path)]) == path}


def upwards(places: Iterable[str], layers: tuple[set[str], ...], *above: str) -> list[tuple[str, set[str]]]:
    """List the modules that import from a package above their own, or next to it, and these packages."""
    known = set[str]().union(*layers)
    found = []
    for place in places:
        package = place.split("/")[len(above)].removesuffix(".py")
        layer = next(number for number, packages in enumerate(layers) if package in packages)
        found.append((place, packages_of(place, *above) & known - {package}.union(*layers[:layer])))
    return [(place, wrong) for place, wrong in found if wrong]


def test_a_package_imports_from_layers_below_it() -> None:
    assert upwards([place for place in TREES if "/" in place or place == "api.py"], LAYERS) == []


def test_a_package_of_the_agent_imports_from_layers_below_it() -> None:
    inside = [place for place in below("agent/") if place.count("/") > 1]
    assert upwards(inside, INSIDE_THE_AGENT, "agent") == []


def test_an_inspector_imports_from_layers_below_it() -> None:
    inside = [place for place in below("agent/inspectors/") if place.count("/") > 2]
    assert upwards(inside, INSIDE_THE_INSPECTORS, "agent", "inspectors") == []


def test_every_package_has_a_layer() -> None:
    packages = {place.split("/")[0] for place in TREES if "/" in place} | {"api"}
    assert packages == set[str]().union(*LAYERS)
    inside = {place.split("/")[1] for place in below("agent/") if place.count("/") > 1}
    assert inside == set[str]().union(*INSIDE_THE_AGENT)


def test_only_code_that_runs_in_the_watched_process_imports_mlx() -> None:
    users = [place for place in TREES if "mlx" in roots(place)]
    assert [place for place in users if not place.startswith(("agent/", INSIDE))] == []


def test_the_agent_imports_the_standard_library_and_mlx_alone() -> None:
    allowed = {"mlxprobe.system.self_process", "mlxprobe.system.stack"}
    for place in below("agent/"):
        assert roots(place) <= {"mlxprobe", "mlx"}, place
        assert packages_of(place) <= {"agent", "system", "protocol"}, place
        assert {name for name in imported(place) if re.match(r"mlxprobe\.system\.\w+$", name)} <= allowed, place


def test_the_protocol_imports_the_standard_library_alone() -> None:
    """It is imported in users' processes too; an import for type checkers is none."""
    for place in below("protocol/"):
        checks = [one for one in ast.walk(TREES[place]) if isinstance(one, ast.If)]
        typed = [one for one in checks if ast.unparse(one.test) == "TYPE_CHECKING"]
        spared = {name.split(".")[0] for one in typed for name in names(ast.walk(one))}
        assert roots(place) - spared <= {"mlxprobe"} and packages_of(place) <= {"protocol"}, place


def test_imports_of_the_agent_in_a_running_program_are_isolated() -> None:
    """Else the program's `mlxprobe` would be imported, or another copy of ours from its environment."""
    before_the_program = {"agent/lifecycle/main.py", "agent/__main__.py"}
    for place in set(below("agent/")) - before_the_program:
        nodes = [*ast.walk(TREES[place])]
        scopes = [one for one in nodes if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef))]
        guards = [one for one in nodes if isinstance(one, ast.With) and "importable()" in ast.unparse(one.items[0])]
        late, guarded = (
            {id(one) for node in some for one in ast.walk(node) if is_ours(one)} for some in (scopes, guards)
        )
        assert late <= guarded, place


def is_ours(node: ast.AST) -> bool:
    return isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "mlxprobe"


def test_the_parts_of_the_system_that_agents_and_reapers_import_are_light() -> None:
    for name in ("__init__", "self_process", "kin"):
        place = f"system/{name}.py"
        ours = {one for one in imported(place) if one.startswith("mlxprobe")}
        assert ours <= {"mlxprobe.system", "mlxprobe.system.LINUX", "mlxprobe.system.MAC"}
        assert roots(place) <= {"mlxprobe"}
        assert "typing" not in imported(place)  # a reaper would wait for it


def test_only_the_system_package_asks_for_the_operating_system() -> None:
    asking = [place for place, text in TEXTS.items() if re.search(OF_ONE_SYSTEM, text)]
    assert [place for place in asking if not place.startswith("system/")] == []


def test_code_that_runs_cases_needs_mlx_and_numpy_alone() -> None:
    """It is no part of the agent, which imports neither cases nor NumPy."""
    for place in below(INSIDE):
        assert roots(place) <= {"mlxprobe", "mlx", "numpy"}, place
        assert all(name.startswith(INSIDE_MODULE) for name in imported(place) if name.startswith("mlxprobe")), place


def test_pure_packages_do_no_io() -> None:
    users = {place: {name.split(".")[0] for name in imported(place)} & DOES_IO for place in below(*PURE)}
    assert {place: modules for place, modules in users.items() if modules} == {}


def test_only_the_command_line_prints_and_exits() -> None:
    for place in set(TREES) - {*below("cli/", "agent/")}:
        calls = [one.func for one in ast.walk(TREES[place]) if isinstance(one, ast.Call)]
        called = {one.id for one in calls if isinstance(one, ast.Name)}
        assert not called & {"print", "exit"}, place


def test_a_module_stays_small() -> None:
    assert {place: text.count("\n") for place, text in TEXTS.items() if text.count("\n") > 400} == {}
