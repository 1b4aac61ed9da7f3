"""What is taken for the price of CUDA's kernels: a folder stands for the one that MLX keeps them in."""

from pathlib import Path

import pytest

from mlxprobe.agent.graph import kernel_build_cost
from mlxprobe.agent.graph.kernel_build_cost import AT_MOST_S, LOADED_S, LOADS_S, Kernels


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(kernel_build_cost, "folder", lambda: str(tmp_path / "ptx"))
    return tmp_path / "ptx"


def test_a_look_that_makes_kernels_is_paid_for_once(cache: Path) -> None:
    known = Kernels()
    price = known.watch()
    cache.mkdir()
    assert price(8.0) == 8.0
    price = known.watch()
    assert price(8.0) == 0.0, "none was made, and to load one does not take so long"
    price = known.watch()
    (cache / "add.cu").touch()
    assert price(AT_MOST_S) == 0.0, "more than is left is the look's own"
    price = known.watch()
    (cache / "multiply.cu").touch()
    assert price(AT_MOST_S - 8.0) == AT_MOST_S - 8.0


def test_there_are_none_where_there_is_no_cuda() -> None:
    assert kernel_build_cost.folder() == "" and Kernels().watch()(1.0) == 0.0


def test_a_look_that_loads_kernels_is_paid_for_once_too(cache: Path) -> None:
    known, left_s = Kernels(), LOADS_S
    cache.mkdir()
    for seconds in (0.2, LOADED_S, 0.9 * LOADS_S, 0.2):
        loads = LOADED_S < seconds <= left_s
        assert known.watch()(seconds) == (seconds if loads else 0.0)
        left_s -= seconds * loads
    assert left_s < 0.2 * LOADS_S
