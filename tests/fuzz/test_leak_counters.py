"""What a call leaves behind, with MLX itself: a leak is found, and what is healthy is not."""

import sys

import mlx.core as mx
import pytest

from mlxprobe.fuzz.child.leak_counters import growth

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc tells what its heap holds")
X = mx.arange(8.0)


def test_calls_that_leave_nothing_behind_do_not_grow() -> None:
    assert growth(lambda: mx.eval(mx.sin(X) + 1)) == {}


def test_arrays_that_are_never_evaluated_are_seen_in_the_heap_although_they_have_no_buffer() -> None:
    kept = []
    found = growth(lambda: kept.append(mx.sin(X)))
    assert min(found["heap"]) > 100
    assert max(found["buffers"]) == 0


def test_what_grows_once_is_no_leak() -> None:
    kept: dict[int, mx.array] = {}
    assert growth(lambda: mx.eval(kept.setdefault(len(kept) % 20, mx.sin(X)))) == {}


def test_what_only_the_collector_of_cycles_frees_is_no_leak() -> None:
    def cycle() -> None:
        one: dict[str, object] = {"array": mx.sin(X)}
        one["itself"] = one

    assert growth(cycle) == {}
