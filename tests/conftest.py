"""Fixtures that all tests share."""

import compileall
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from wheels import CORE, wheel

import mlxprobe
from mlxprobe.releases import environments
from mlxprobe.releases import index as package_index
from mlxprobe.upgrade import bisect

sys.path.append(str(Path(__file__).parents[1]))  # for `benchmarks`, behind the mlxprobe that is installed
hypothesis.settings.register_profile("steady", deadline=None)  # how busy a machine is says nothing of a property
hypothesis.settings.load_profile("steady")

pytest_plugins = ["pytester"]
collect_ignore_glob = ["pages.py", "programs/*", "snapshots/*"]  # told by name, or scenarios by their looks


def pytest_configure(config: pytest.Config) -> None:
    """Compile the package once: where Python writes no bytecode, as CI has it, each of a thousand processes would."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as behind a shell's `&`: Ctrl-C is tested, too
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(Path(mlxprobe.__file__).parent, quiet=2)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the wheel: it takes minutes, and at the end one worker would wait for the other's."""
    items.sort(key=lambda item: item.path.name != "test_wheel.py")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an index of two fake releases of MLX, one of which does not import, and an empty cache."""
    folder = tmp_path / "index"
    folder.mkdir()
    for version, core in (("1.0.0", CORE.format(version="1.0.0")), ("2.0.0", "raise ImportError('libmlx.so')")):
        wheel(folder, "mlx", version, {"mlx/__init__.py": "", "mlx/core.py": core, "mlx/lib.so": version})
    wheel(folder, "numpy", "9.9", {"numpy/__init__.py": ""})
    config = tmp_path / "uv.toml"  # UV_NO_INDEX is no variable that uv knows
    config.write_text(f"no-index = true\nfind-links = [{str(folder)!r}]\n")
    monkeypatch.setenv("UV_CONFIG_FILE", str(config))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for room in (environments, bisect):
        monkeypatch.setattr(room, "cache_folder", lambda: tmp_path / "cache" / "mlxprobe")
    monkeypatch.setattr(package_index, "listed", lambda: ["1.0.0", "2.0.0"])
    return folder


@pytest.fixture
def uv_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give uv an empty cache."""
    folder = tmp_path / "uv"
    monkeypatch.setenv("UV_CACHE_DIR", str(folder))
    return folder


@pytest.fixture
def default_signals() -> Iterator[None]:
    """Let children start with the default signals, also where these tests run under nohup or in the background."""
    numbers = signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        if before[number] is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    yield
    for number in numbers:
        signal.signal(number, before[number])
