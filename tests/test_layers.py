"""The dependency rule between packages, read off the imports."""

import ast
import re
import sys
from pathlib import Path

import pytest

import mlxprobe

PACKAGE = Path(mlxprobe.__file__).parent
PROGRAMS = {"_scenarios", "programs"}  # folders of what is run, and is no part of any package
FILES = sorted(file for file in PACKAGE.rglob("*.py") if not PROGRAMS & {*file.relative_to(PACKAGE).parts[:-1]})
LAYERS = (  # from the lowest; a package imports from itself and from layers below
    {"system", "protocol"},
    {"schema", "agent"},
    {"diagnosis", "rules", "catalogue", "settings"},
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


def place(file: Path) -> str:
    return file.relative_to(PACKAGE).as_posix()


def imported(file: Path) -> set[str]:
    """Return the full names of all modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def packages_of(file: Path) -> set[str]:
    """Return the packages that a file imports from; the package's face (its version, its public names) is none."""
    known = set().union(*LAYERS)
    return {parts[1] for name in imported(file) if len(parts := name.split(".")) > 1 and parts[0] == "mlxprobe"} & known


ROOMED = [file for file in FILES if file.parent != PACKAGE or file.stem == "api"]


@pytest.mark.parametrize("file", ROOMED, ids=place)
def test_a_package_imports_from_layers_below_it(file: Path) -> None:
    package = place(file).split("/")[0].removesuffix(".py")
    layer = next(number for number, packages in enumerate(LAYERS) if package in packages)
    allowed = {package}.union(*LAYERS[:layer])
    assert packages_of(file) <= allowed, f"{place(file)} is in layer {layer}"


@pytest.mark.parametrize("file", [one for one in FILES if re.match("agent/.*/", place(one))], ids=place)
def test_a_package_of_the_agent_imports_from_layers_below_it(file: Path) -> None:
    package = place(file).split("/")[1]
    layer = next(number for number, packages in enumerate(INSIDE_THE_AGENT) if package in packages)
    used = {name.split(".")[2] for name in imported(file) if name.startswith("mlxprobe.agent.")}
    assert used <= {package}.union(*INSIDE_THE_AGENT[:layer]), f"{place(file)} is in layer {layer} of the agent"


@pytest.mark.parametrize("file", [*(PACKAGE / "agent" / "inspectors").glob("*/*.py")], ids=place)
def test_an_inspector_knows_the_layers_below_alone(file: Path) -> None:
    layer = next(number for number, packages in enumerate(INSIDE_THE_INSPECTORS) if file.parent.name in packages)
    used = {name.split(".")[3] for name in imported(file) if name.startswith("mlxprobe.agent.inspectors.")}
    assert used <= {file.parent.name}.union(*INSIDE_THE_INSPECTORS[:layer]), place(file)


def test_every_package_has_a_layer() -> None:
    packages = {file.parent.name for file in PACKAGE.glob("*/*.py") if "_scenarios" not in file.parts} | {"api"}
    assert packages == set().union(*LAYERS)
    inside = {file.parent.name for file in (PACKAGE / "agent").glob("*/*.py")}
    assert inside == set().union(*INSIDE_THE_AGENT)


@pytest.mark.parametrize("file", FILES, ids=place)
def test_only_what_runs_inside_the_child_imports_mlx(file: Path) -> None:
    uses_mlx = any(name.split(".")[0] == "mlx" for name in imported(file))
    assert not uses_mlx or place(file).startswith(("agent/", INSIDE))


@pytest.mark.parametrize("file", [file for file in FILES if place(file).startswith("agent/")], ids=place)
def test_the_agent_imports_the_standard_library_and_mlx_alone(file: Path) -> None:
    roots = {name.split(".")[0] for name in imported(file)} - sys.stdlib_module_names - {"mlx"}
    assert roots <= {"mlxprobe"}
    assert packages_of(file) <= {"agent", "system", "protocol"}
    assert {name for name in imported(file) if name.startswith("mlxprobe.system.")} <= {
        "mlxprobe.system.self_process",
        "mlxprobe.system.stack",
    }


@pytest.mark.parametrize("file", [file for file in FILES if place(file).startswith("protocol/")], ids=place)
def test_what_agent_and_supervisor_agree_on_needs_the_standard_library_alone(file: Path) -> None:
    """It is imported in users' processes too; what type checkers alone import is not."""
    whole = ast.parse(file.read_text())
    checked = [node for one in ast.walk(whole) if isinstance(one, ast.If) and ast.unparse(one.test) == "TYPE_CHECKING"
               for part in one.body for node in ast.walk(part) if isinstance(node, ast.ImportFrom)]  # fmt: skip
    roots = {name.split(".")[0] for name in imported(file)} - {(node.module or "") for node in checked}
    assert roots - sys.stdlib_module_names <= {"mlxprobe"} and packages_of(file) <= {"protocol"}


@pytest.mark.parametrize("file", [one for one in FILES if place(one).startswith("agent/")], ids=place)
def test_what_the_agent_imports_while_a_program_runs_it_imports_from_its_own(file: Path) -> None:
    """Else the program's `mlxprobe` would be imported, or another copy of ours from its environment."""
    if place(file) in {"agent/lifecycle/main.py", "agent/__main__.py"}:  # before there is a program
        return
    whole = ast.parse(file.read_text())
    scopes = [one for one in ast.walk(whole) if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef))]
    own = [one for one in ast.walk(whole) if isinstance(one, ast.With) and "importable()" in ast.unparse(one.items[0])]
    late, guarded = (
        {one.lineno for node in nodes for one in ast.walk(node) if isinstance(one, ast.ImportFrom) and is_ours(one)}
        for nodes in (scopes, own)
    )
    assert late <= guarded


def is_ours(node: ast.ImportFrom) -> bool:
    return (node.module or "").partition(".")[0] == "mlxprobe"


@pytest.mark.parametrize("name", ["__init__", "self_process", "kin"])
def test_what_agents_and_reapers_ask_of_the_system_needs_the_standard_library_alone(name: str) -> None:
    file = PACKAGE / "system" / f"{name}.py"
    ours = {name for name in imported(file) if name.startswith("mlxprobe")}
    assert ours <= {"mlxprobe.system", "mlxprobe.system.LINUX", "mlxprobe.system.MAC"}
    assert {name.split(".")[0] for name in imported(file) - ours} <= sys.stdlib_module_names
    assert "typing" not in imported(file)  # a reaper would wait for it


@pytest.mark.parametrize("file", [one for one in FILES if not place(one).startswith("system/")], ids=place)
def test_nothing_but_the_platform_asks_which_system_this_is(file: Path) -> None:
    assert not re.findall(OF_ONE_SYSTEM, file.read_text())


@pytest.mark.parametrize("file", [file for file in FILES if place(file).startswith(INSIDE)], ids=place)
def test_what_runs_cases_has_what_an_environment_of_a_release_has(file: Path) -> None:
    """That is MLX and NumPy; and it is no part of the agent, which imports neither cases nor NumPy."""
    roots = {name.split(".")[0] for name in imported(file)} - sys.stdlib_module_names - {"mlx", "numpy"}
    assert roots <= {"mlxprobe"}
    assert all(name.startswith(INSIDE_MODULE) for name in imported(file) if name.startswith("mlxprobe"))


@pytest.mark.parametrize("file", [file for file in FILES if place(file).startswith(PURE)], ids=place)
def test_pure_packages_do_no_io(file: Path) -> None:
    assert not {name.split(".")[0] for name in imported(file)} & DOES_IO


@pytest.mark.parametrize("file", FILES, ids=place)
def test_only_the_command_line_prints_and_exits(file: Path) -> None:
    if place(file).startswith("cli/") or place(file).startswith("agent/"):
        return
    called = {node.func.id for node in ast.walk(ast.parse(file.read_text()))
              if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}  # fmt: skip
    assert not called & {"print", "exit"}


@pytest.mark.parametrize("file", FILES, ids=place)
def test_a_module_stays_small(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= 400
