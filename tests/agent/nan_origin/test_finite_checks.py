"""What a few bytes of an array tell, and where they may be read."""

import math

import mlx.core as mx
import pytest

from mlxprobe.agent.nan_origin.finite_checks import at_hand, is_broken


@pytest.mark.parametrize("dtype", [mx.float32, mx.float16, mx.bfloat16])
@pytest.mark.parametrize(("value", "broken"), [(1.5, False), (math.nan, True), (math.inf, True), (-math.inf, True)])
def test_a_value_that_is_not_finite_is_seen_by_its_bytes(dtype: mx.Dtype, value: float, broken: bool) -> None:
    array = mx.full((8,), value, dtype)
    mx.eval(array)
    assert is_broken([{"bias": array}], [(0, "bias")]) is broken
    assert not is_broken([{"bias": array}], [(0, "weight")])


def test_bytes_are_read_where_they_lie_and_never_fetched_from_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mx, "default_device", lambda: mx.gpu)
    for there, wanted in ((True, False), (False, True)):
        monkeypatch.setattr(mx.cuda, "is_available", lambda there=there: there)
        assert at_hand() is wanted
    monkeypatch.setattr(mx, "default_device", lambda: mx.cpu)
    monkeypatch.setattr(mx.cuda, "is_available", lambda: True)
    assert at_hand()
