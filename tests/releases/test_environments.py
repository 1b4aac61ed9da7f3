"""Environments from a wheel index of our own: no network, and a build is whole or not there."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import psutil
import pytest
from watching import MARK, marked, until
from wheels import wheel

from mlxprobe.releases import environments, index, installing
from mlxprobe.releases.environments import provide
from mlxprobe.releases.index import Release, parse, parse_one
from mlxprobe.schema.errors import (
    BrokenReleaseError,
    MissingEnvironmentError,
    NoWheelError,
    ProbeError,
    UnmetRequirementError,
    UsageError,
)
from mlxprobe.schema.observation import Environment
from mlxprobe.supervisor import errand

LISTED = ["0.26.5", "0.31.2", "0.32.0", "0.32.4", "0.33.0rc1"]
CLOSED = "http://127.0.0.1:9/simple"  # where no process listens
ONE = Release(name="1.0.0", version="1.0.0")
BUILD = """
from mlxprobe.releases import environments, index
print("begins", flush=True)
environments.provide(index.Release(name="1.0.0", version="1.0.0"))
"""


@pytest.mark.slow
def test_built_once_then_taken_from_the_cache_listed_and_removed(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = provide(ONE)
    assert (built.mlx, built.devices) == ("1.0.0", ("cpu",))
    monkeypatch.setattr(environments, "_build", lambda *_: pytest.fail("built again"))
    assert provide(ONE) == built
    (listed,) = environments.installed()
    assert (listed.release, listed.size_bytes > 0) == ("1.0.0", True)
    folder = Path(listed.folder)
    other = folder.rename(folder.with_name(folder.name.replace("1.0.0", "2.0.0")))
    assert environments._ready(other) is None  # it says itself which release it holds
    other.rename(folder)
    environments.remove(Path(listed.folder))
    assert environments.installed() == []


@pytest.mark.slow
def test_built_below_a_folder_with_spaces_that_looks_like_a_librarys(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mlx" / "lib" / "python3.11" / "site-packages" / "a ü b"
    monkeypatch.setattr(environments, "cache_folder", lambda: folder)
    assert Path(provide(ONE).executable).is_relative_to(folder)


@pytest.mark.slow
def test_a_release_that_does_not_import_or_does_not_exist_gives_its_reason(index: Path) -> None:
    with pytest.raises(BrokenReleaseError, match=r"installs but does not import: ImportError: libmlx\.so"):
        provide(Release(name="2.0.0", version="2.0.0"))
    with pytest.raises(ProbeError, match=r"mlx.*3\.0\.0"):
        provide(Release(name="3.0.0", version="3.0.0"))
    assert environments.installed() == []
    assert list(environments.root().glob(".building-*")) == []


@pytest.mark.slow
def test_requirements_are_installed_too_and_make_an_environment_of_their_own(index: Path) -> None:
    wheel(index, "extra", "3.0", {"extra.py": ""})
    alone, beside = provide(ONE), provide(ONE, ["extra>=2"])
    assert alone.executable != beside.executable
    for here, code in ((alone, 1), (beside, 0)):
        order = [here.executable, "-c", "import mlx.core, extra"]
        assert subprocess.run(order, capture_output=True, check=False).returncode == code
    assert provide(ONE, ["extra>=2"]) == beside
    file = index / "extra-3.0-py3-none-any.whl"
    of_file = provide(ONE, [str(file)])
    os.utime(file, ns=(1, 1))
    assert provide(ONE, [str(file)]).executable != of_file.executable  # the file is another one now


@pytest.mark.slow
def test_a_requirement_that_cannot_be_met_is_not_the_releases_fault(index: Path) -> None:
    wheel(index, "picky", "1.0", {"picky.py": ""}, "Requires-Dist: mlx>=2\n")
    for requirement in ("gone>=1", "picky"):
        with pytest.raises(UnmetRequirementError, match=f"with the requirements {requirement}: ") as caught:
            provide(ONE, [requirement])
        assert "picky" not in requirement or "picky depend on mlx>=2" in str(caught.value)
    assert environments.installed() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("mlx/lib.so", None),
        ("mlx/lib.so", b""),
        ("mlx/lib.so", b"9.9.9"),  # of the same size
        ("numpy/__init__.py", b"1/0"),
        ("mlx/__pycache__/core.*.pyc", b"junk"),
    ],
)
@pytest.mark.parametrize("cached", [False, True], ids=["environment", "cache"])
def test_a_damaged_file_is_noticed_and_comes_back(
    file: str, content: bytes | None, cached: bool, index: Path, uv_cache: Path
) -> None:
    folder = Path(provide(ONE).executable).parents[1]
    (damaged,) = folder.glob(f"lib/python*/site-packages/{file}")
    before, times = damaged.read_bytes(), damaged.stat()
    for one in [damaged, *(uv_cache.rglob(file) if cached else ())]:
        if content is None:
            one.unlink()
        else:
            one.write_bytes(content)
            os.utime(one, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert provide(ONE).mlx == "1.0.0"
    assert damaged.suffix == ".pyc" or damaged.read_bytes() == before
    assert damaged.read_bytes() != content
    assert all(one.read_bytes() == before for one in uv_cache.rglob(file))


@pytest.mark.slow
def test_damage_to_an_environment_does_not_reach_the_cache_of_the_installer(index: Path, uv_cache: Path) -> None:
    folder = Path(provide(ONE).executable).parents[1]
    (file,) = folder.glob("lib/python*/site-packages/mlx/lib.so")
    assert file.stat().st_nlink == 1


@pytest.mark.slow
@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.15, 0.4])
def test_a_killed_build_leaves_nothing_that_is_not_listed_and_removed(after_s: float, index: Path) -> None:
    build = subprocess.Popen([sys.executable, "-c", BUILD], stdout=subprocess.PIPE)
    assert build.stdout is not None
    build.stdout.readline()
    time.sleep(after_s)
    build.kill()
    build.communicate()
    for one in environments.installed():
        environments.remove(Path(one.folder))
    assert environments.installed() == []
    assert not [one for one in environments.root().rglob("*") if not one.name.endswith(".lock")]
    assert provide(ONE).mlx == "1.0.0"


@pytest.mark.slow
def test_the_installer_of_a_killed_build_ends_with_it(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that takes connections and never answers keeps uv waiting."""
    mark = uuid.uuid4().hex
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.delenv("UV_CONFIG_FILE")
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        variables = {"UV_NO_CONFIG": "1", "UV_DEFAULT_INDEX": address, MARK: mark}
        build = subprocess.Popen([sys.executable, "-c", BUILD], env=os.environ | variables, stdout=subprocess.PIPE)
        silent.settimeout(60)
        asked, _ = silent.accept()
        uvs = [one for one in marked(mark) if "install" in one.cmdline()]
        build.kill()
        build.communicate()
        try:
            assert uvs and psutil.wait_procs(uvs, 5)[1] == []
            assert until(lambda: not marked(mark))
        finally:
            asked.close()
            for one in marked(mark):
                one.kill()


@pytest.mark.slow
def test_an_installer_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    with pytest.raises(TimeoutError):
        errand.run(["sh", "-c", "sleep 61 & sleep 60"], 0.3)
    assert [one for one in marked(mark) if "sleep" in one.name()] == []


def test_an_errand_gives_its_exit_code_and_all_that_it_says() -> None:
    said = "for k in $(seq 20000); do echo line $k >&2; done; exit 3"
    code, told = errand.run(["sh", "-c", said], 60)
    assert code == 3 and told.splitlines() == [f"line {k}" for k in range(1, 20001)]
    with pytest.raises(OSError, match="No such file"):
        errand.run(["/nowhere/uv"], 60)


@pytest.mark.slow
def test_the_installer_of_a_killed_build_still_holds_its_lock(index: Path, tmp_path: Path) -> None:
    (environments.root() / "mlx-x").mkdir(parents=True)
    with environments._locked(environments.root() / "mlx-x") as lock:
        heir = subprocess.Popen(["sleep", "60"], pass_fds=[lock])
    try:
        waiting = threading.Thread(target=environments.remove, args=(environments.root() / "mlx-x",))
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
    finally:
        heir.kill()
        heir.wait()
    waiting.join(10)
    assert not waiting.is_alive()


NO_RELEASE = [
    ("another platform's wheel", "wheel", {}, NoWheelError, "5.0.0 has no wheel for this platform: "),
    ("no such version", "", {}, ProbeError, "no version of mlx"),
    ("an index that refuses connections", "wheel", {"UV_NO_CONFIG": "1", "UV_DEFAULT_INDEX": CLOSED}, ProbeError,
     "Failed to fetch"),
    ("a proxy that refuses connections", "wheel", {"UV_NO_CONFIG": "1", "ALL_PROXY": "http://127.0.0.1:9"}, ProbeError,
     "Failed to fetch"),
    ("offline", "wheel", {"UV_NO_CONFIG": "1", "UV_OFFLINE": "1"}, ProbeError, "cannot be installed"),
    ("a cache that is a file", "wheel", {"UV_CACHE_DIR": __file__}, ProbeError, "Failed to initialize cache"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("there", "variables", "error", "words"), [case[1:] for case in NO_RELEASE], ids=[case[0] for case in NO_RELEASE]
)
def test_only_a_wheel_of_another_platform_is_no_wheel(
    there: str, variables: dict[str, str], error: type[ProbeError], words: str, index: Path,
    monkeypatch: pytest.MonkeyPatch, uv_cache: Path,
) -> None:  # fmt: skip
    if there:
        wheel(index, "mlx", "5.0.0", {"mlx/core.py": ""}, tag="cp311-cp311-macosx_99_0_arm64")
    if "UV_NO_CONFIG" in variables:
        monkeypatch.delenv("UV_CONFIG_FILE")
    for name, value in {"UV_HTTP_RETRIES": "0", **variables}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ProbeError) as caught:
        provide(Release(name="5.0.0", version="5.0.0"))
    assert caught.type is error
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert environments.installed() == []


@pytest.mark.slow
def test_an_interrupted_build_is_never_used(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mlxprobe.supervisor.interpreter.describe", stop)
        with pytest.raises(KeyboardInterrupt):
            provide(ONE)
    assert environments.installed() == []
    assert provide(ONE).mlx == "1.0.0"


@pytest.mark.slow
def test_two_who_want_the_same_build_it_once(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builds = []
    build = environments._build

    def counted(*args: Any) -> Environment:
        builds.append(1)
        return build(*args)

    monkeypatch.setattr(environments, "_build", counted)
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(provide(ONE))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 3
    assert len(builds) == 1


@pytest.mark.slow
def test_a_wheel_file_is_a_release_too(index: Path) -> None:
    (release,) = parse(str(index / "mlx-1.0.0-py3-none-any.whl"), lambda: LISTED)
    assert provide(release).mlx == "1.0.0"


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(environments, "cache_folder", lambda: tmp_path / "file")
    with pytest.raises(ProbeError, match="cannot be written"):
        provide(ONE)


def test_an_interpreter_without_mlx_is_told(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 3\n")
    python.chmod(0o755)
    with pytest.raises(MissingEnvironmentError, match="ended with 3"):
        provide(Release(name="mine", python=str(python)))


SPECS = [
    ("a version", "0.31.2", ["0.31.2"]),
    ("a requirement", "mlx==0.31.2", ["0.31.2"]),
    ("a range without pre-releases", ">=0.31,<1", ["0.31.2", "0.32.0", "0.32.4"]),
    ("the latest", "latest", ["0.32.4"]),
    ("this interpreter", "current", ["current"]),
]


@pytest.mark.parametrize(("spec", "names"), [case[1:] for case in SPECS], ids=[case[0] for case in SPECS])
def test_what_may_stand_for_a_release(spec: str, names: list[str]) -> None:
    assert [one.name for one in parse(spec, lambda: LISTED)] == names


def test_a_wheel_of_another_package_is_no_release(tmp_path: Path) -> None:
    wheel(tmp_path, "mlx_lm", "0.31.2", {})
    with pytest.raises(UsageError, match="a wheel of mlx-lm; right is a wheel of mlx"):
        parse(str(tmp_path / "mlx_lm-0.31.2-py3-none-any.whl"), lambda: LISTED)


def test_pre_releases_on_request() -> None:
    assert parse(">=0.32", lambda: LISTED, pre=True)[-1].name == "0.33.0rc1"


def test_of_a_range_the_newest_is_one_release() -> None:
    assert parse_one("<0.32", lambda: LISTED).name == "0.31.2"


BAD = [
    ("no form at all", "banana", "'banana' is not a release of the package mlx; right is a release (0.31.2)"),
    ("another package", "mlx-lm==0.31.2", "'mlx-lm==0.31.2' is not a release of the package mlx"),
    ("a mistyped package", "mlxfoo==0.31.2", "'mlxfoo==0.31.2' is not a release of the package mlx"),
    ("a package of another backend", "mlx-cuda>=0.31", "'mlx-cuda>=0.31' is not a release of the package mlx"),
    ("an extra that is not installed", "mlx[cuda]==0.31.2", "is not a release of the package mlx"),
    ("an address", "mlx @ https://example.org/mlx", "is not a release of the package mlx"),
    ("no version", "mlx", "'mlx' is not a release"),
    ("nothing", "", "'' is not a release"),
    ("an empty range", ">=9", "no release of MLX fits '>=9'; the index has 0.26.5 to 0.33.0rc1"),
    ("a wheel that is not there", "mlx-9.whl", "mlx-9.whl: no such wheel file"),
    ("an interpreter that is not there", "python=/nowhere", "python=/nowhere: no such interpreter"),
]


@pytest.mark.parametrize(("spec", "words"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_what_may_not(spec: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(spec, lambda: LISTED)
    assert words in str(caught.value)


def test_an_index_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for said in ("ERROR: no route to host", "error: it failed\n  Caused by: x\n  cause: no route to host\n"):
        answer = subprocess.CompletedProcess([], 1, "", said)
        monkeypatch.setattr("subprocess.run", lambda *_, answer=answer, **__: answer)
        with pytest.raises(ProbeError, match=r"^the package index does not list mlx(-cpu)? \(no route to host\)$"):
            index.listed()


@pytest.mark.parametrize(("has_pip", "order"), [(True, "-m pip index"), (False, "--with pip pip index")])
def test_releases_are_listed_with_pip_or_where_uv_made_the_environment_with_uv(
    has_pip: bool, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def run(words: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.extend(words)
        return subprocess.CompletedProcess([], 0, "Available versions: 0.32.4, 0.27.0, 0.1.0", "")

    monkeypatch.setattr("subprocess.run", run)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: has_pip or None)
    assert index.listed() == ["0.27.0", "0.32.4"]
    assert order in " ".join(asked)


def test_the_key_differs_with_what_decides_the_contents() -> None:
    keys = {
        environments.key_of(ONE),
        environments.key_of(ONE, ["mlx-lm"]),
        environments.key_of(Release(name="2", version="2")),
    }
    assert len(keys) == 3
    assert all(f"py{sys.version_info[0]}{sys.version_info[1]}" in key for key in keys)
    assert os.sep not in "".join(keys)


def test_a_message_of_uv_keeps_its_letters() -> None:
    drawn = "  × No solution found:\n  ╰─▶ tinygrad.whl is not in the index\n\n  hint: nothing is pinned\n"
    assert installing.plain(drawn) == "No solution found: tinygrad.whl is not in the index nothing is pinned"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mlxprobe.json", "bin/python"])
def test_a_pipe_in_an_environment_is_damage_and_not_waited_for(name: str, index: Path) -> None:
    here = provide(ONE)
    file = Path(here.executable).parents[1] / name
    file.unlink()
    os.mkfifo(file)
    assert environments._ready(file.parents[name.count("/")]) is None
    assert [one.python for one in environments.installed()] == ["" if name == "mlxprobe.json" else here.python]
    assert provide(ONE) == here and file.is_file()


def test_a_pipe_in_place_of_a_lock_is_told(index: Path) -> None:
    environments.root().mkdir(parents=True)
    os.mkfifo(environments.root() / f".{environments.key_of(ONE)}.lock")
    with pytest.raises(ProbeError, match="cannot be written"):
        provide(ONE)


UNREACHED = [
    ("refused", "http://127.0.0.1:9/", "Connection refused"),
    ("no such host", "https://no.such.host.invalid/", "Name or service not known"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("address", "why"), [one[1:] for one in UNREACHED], ids=[one[0] for one in UNREACHED])
def test_an_index_that_cannot_be_reached_is_not_one_without_mlx(
    address: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "RETRIES", ("--retries", "1"))
    for name, value in {"PIP_INDEX_URL": address, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ProbeError, match="the package index cannot be reached: ") as caught:
        index.listed()
    assert why in str(caught.value) or "resolution" in str(caught.value)


NO_SOLUTION = (
    "No solution found: Because there is no version of mlx[cpu]==1.0.0 (e.g., `x`) and you require it, your "
    "requirements are unsatisfiable. Packages are what they are. And so on."
)
UVS_WORDS = [
    ("the first sentence", NO_SOLUTION, "", "mlx 1.0.0 cannot be installed: " + NO_SOLUTION.partition(". Pack")[0]),
    ("asked to be offline", NO_SOLUTION, "1", f"mlx 1.0.0 cannot be installed: {index.OFFLINE_TOLD}"),
    ("offline by its configuration", f"{NO_SOLUTION} the network was disabled.", "",
     f"mlx 1.0.0 cannot be installed: {index.OFFLINE_TOLD}"),
    ("another failure while offline", "Failed to write", "1", "mlx 1.0.0 cannot be installed: Failed to write"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "offline", "told"), [one[1:] for one in UVS_WORDS], ids=[one[0] for one in UVS_WORDS])
def test_what_is_told_of_what_uv_says(
    said: str, offline: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_OFFLINE", offline)
    monkeypatch.setattr(errand, "run", lambda order, *_: (0, "") if "venv" in order else (1, said))
    with pytest.raises(ProbeError) as caught:
        installing.install(tmp_path, ONE, (), -1)
    assert str(caught.value) == told


def test_a_signal_that_ends_uv_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errand, "run", lambda *_: (-signal.SIGXFSZ, ""))
    with pytest.raises(ProbeError, match="uv pip was ended by SIGXFSZ"):
        installing.uv("pip", "install")


def test_the_address_of_a_wheel_keeps_its_slashes() -> None:
    with pytest.raises(UsageError, match=r"^https://example\.org/mlx-1\.0-py3-none-any\.whl: is an address"):
        parse("https://example.org/mlx-1.0-py3-none-any.whl", list)
