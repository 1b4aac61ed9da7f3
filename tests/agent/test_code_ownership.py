"""Whose code a file is: by the folders that are there, not by the look of a path."""

import importlib
import sys
import sysconfig
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mlxprobe.agent.introspection import call_site, code_ownership
from mlxprobe.agent.introspection.code_ownership import AGENT, GENERATED, LIBRARY, OWN, PACKAGE, Roots

SITE = sysconfig.get_path("purelib")
STDLIB = sysconfig.get_path("stdlib")
FILES = [
    ("a script", "/home/me/train.py", OWN),
    ("a script of no folder", "train.py", OWN),
    ("a folder called mlx", "/home/me/mlx/train.py", OWN),
    ("a folder that looks like a library's", "/home/me/lib/python3.11/train.py", OWN),
    ("a folder that looks like one of packages", "/home/me/lib/python3.11/site-packages/train.py", OWN),
    ("a folder that begins like a library's", f"{STDLIB}-mine/train.py", OWN),
    ("a notebook's cell", "<ipython-input-3-0af1>", OWN),
    ("a notebook's cell with a file's name", "/tmp/ipykernel_7/123.py", OWN),
    ("the standard input", "<stdin>", OWN),
    ("an installed package", f"{SITE}/trainer/loop.py", PACKAGE),
    ("a scenario in an installed mlxprobe", f"{SITE}/mlxprobe/_scenarios/step2_hang.py", PACKAGE),
    ("packages below the base's standard library", f"{STDLIB}/site-packages/trainer.py", PACKAGE),
    ("packages of the system", f"{STDLIB}/dist-packages/trainer.py", PACKAGE),
    ("a console script", f"{sysconfig.get_path('scripts')}/trainer", PACKAGE),
    ("the standard library", f"{STDLIB}/threading.py", LIBRARY),
    ("a frozen module", "<frozen runpy>", LIBRARY),
    ("the agent", f"{AGENT}/hooks.py", LIBRARY),
    ("a dataclass's method", "<string>", GENERATED),
]


@pytest.fixture
def known() -> Roots:
    found = Roots()
    for folder, owner in code_ownership.pythons():
        found.add(folder, owner)
    return found


@pytest.mark.parametrize(("file", "whose"), [case[1:] for case in FILES], ids=[case[0] for case in FILES])
def test_whose_code_a_file_is(file: str, whose: str, known: Roots) -> None:
    assert known.whose(file) == whose


def test_a_file_behind_a_link_is_whose_its_folder_is(tmp_path: Path, known: Roots) -> None:
    (tmp_path / "packages").symlink_to(SITE)
    (tmp_path / "mine").mkdir()
    (tmp_path / "linked").symlink_to("mine")
    assert known.whose(f"{tmp_path}/packages/trainer.py") == PACKAGE
    assert known.whose(f"{tmp_path}/linked/train.py") == OWN


def test_packages_that_are_links_are_packages_all_the_same(tmp_path: Path) -> None:
    """As uv's link mode and conda's environments make them."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "trainer").symlink_to(tmp_path / "cache")
    found = Roots()
    found.add(str(tmp_path / "site"), PACKAGE)
    assert found.whose(f"{tmp_path}/site/trainer/loop.py") == PACKAGE


def test_packages_that_a_path_adds_are_packages_but_the_scripts_own_folder_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", ["/x/site-packages", "/y/lib", "/y/site-packages"])
    assert dict(code_ownership.pythons()).keys() & {"/x/site-packages", "/y/lib", "/y/site-packages"} == {
        "/y/site-packages"
    }


@pytest.fixture
def in_two_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make an `mlx` whose core and layers lie apart, beside a folder of the user's that is called so too."""
    for name, text in (("a/mlx/core.py", ""), ("b/mlx/nn/__init__.py", ""), ("mine/mlx/train.py", "")):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    for name in [one for one in sys.modules if one.partition(".")[0] == "mlx"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [str(tmp_path / one) for one in ("mine", "a", "b")])
    importlib.invalidate_caches()
    yield tmp_path
    for name in [one for one in sys.modules if one.partition(".")[0] == "mlx"]:
        del sys.modules[name]


def test_mlx_is_where_its_modules_are(in_two_folders: Path) -> None:
    core = importlib.import_module("mlx.core").__file__
    assert core is not None
    assert dict(code_ownership.mlx(core)) == {f"{in_two_folders}/a/mlx": LIBRARY, f"{in_two_folders}/b/mlx": LIBRARY}


def run(file: str, source: str, **names: Any) -> dict[str, Any]:
    names |= {"sites": call_site}
    exec(compile(source, file, "exec"), names)
    return names


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(call_site, "roots", Roots())
    monkeypatch.setattr(call_site, "_callers", {})
    call_site.add(str(tmp_path), PACKAGE)
    call_site.add(str(Path(pytest.__file__).parent.parent), LIBRARY)
    return f"{tmp_path}/trainer.py"


FIT = "def fit(): return sites.calling()\ndef fail(): raise ValueError"


def test_a_line_in_a_package_has_the_users_line_that_called_it(packages: str) -> None:
    fit = run(packages, FIT)["fit"]
    assert run("/me/train.py", "\nfound = fit()", fit=fit)["found"] == (packages, 1)
    caller = {"file": "/me/train.py", "line": 2, "source": ""}
    assert call_site.told((packages, 1)) == {"file": packages, "line": 1, "source": "", "caller": caller}
    run("/me/other.py", "found = fit()", fit=fit)
    assert call_site.told((packages, 1))["caller"] == caller, "the first keeps it"
    assert call_site.moved((packages, 1), 9) == (packages, 9)
    assert call_site.told((packages, 9))["caller"] == caller


def test_an_exception_of_a_package_has_the_users_line_that_called_it(packages: str) -> None:
    fail = run(packages, FIT)["fail"]
    with pytest.raises(ValueError) as raised:
        run("/me/train.py", "\n\nfail()", fail=fail)
    assert call_site.raising(raised.tb) == (packages, 2)
    assert call_site.told((packages, 2))["caller"]["line"] == 3


def test_generated_code_is_a_place_only_where_there_is_no_other(packages: str) -> None:
    fit = run("<string>", FIT)["fit"]
    assert run("/me/train.py", "\nfound = fit()", fit=fit)["found"] == ("/me/train.py", 2)
    call_site.add(STDLIB, LIBRARY)
    with ThreadPoolExecutor() as pool:  # whose threads have no other frames than the standard library's
        assert pool.submit(fit).result() == ("<string>", 1)


@pytest.mark.parametrize("name", ["stdlib", "platstdlib", "purelib", "platlib", "scripts"])
def test_a_folder_of_this_python_is_the_one_that_sysconfig_names(name: str) -> None:
    assert code_ownership.installed(name) == sysconfig.get_path(name)


def test_functions_of_python_that_the_program_has_replaced_fail_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def mocked(*_: object, **__: object) -> None:
        raise OSError("mocked")

    roots = Roots()
    for name in ("lstat", "readlink", "fspath"):
        monkeypatch.setattr(f"os.{name}", mocked)
    assert roots.whose("/home/me/train.py") == OWN
