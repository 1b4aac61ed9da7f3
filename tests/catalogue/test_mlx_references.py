"""MLX against NumPy in float64: what the scenarios take for correct is correct."""

from functools import partial
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mlx.utils import tree_flatten, tree_map

pytestmark = pytest.mark.slow
finite = st.floats(-1e4, 1e4, width=32)


@settings(deadline=None, max_examples=50)
@given(
    logits=hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=finite),
    seed=st.integers(0, 99),
)
def test_cross_entropy_for_any_finite_logits(logits: Any, seed: int) -> None:
    labels: Any = np.random.default_rng(seed).integers(0, logits.shape[1], logits.shape[0])
    exact = logits.astype(np.float64)
    top = exact.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(exact - top).sum(axis=1)) + top[:, 0]
    expected = log_sum - exact[np.arange(len(labels)), labels]
    got = nn.losses.cross_entropy(mx.array(logits), mx.array(labels))
    np.testing.assert_allclose(np.array(got), expected, rtol=1e-4, atol=1e-2)


@settings(deadline=None, max_examples=50)
@given(
    batch=st.integers(1, 3), length=st.integers(1, 9), channels=st.integers(1, 4), out=st.integers(1, 4),
    kernel=st.integers(1, 3), stride=st.integers(1, 3), padding=st.integers(0, 2), seed=st.integers(0, 99),
)  # fmt: skip
def test_conv1d_for_any_shape(
    batch: int, length: int, channels: int, out: int, kernel: int, stride: int, padding: int, seed: int
) -> None:
    if length + 2 * padding < kernel:
        return
    random = np.random.default_rng(seed)
    x = random.normal(size=(batch, length, channels)).astype(np.float32)
    weight = random.normal(size=(out, kernel, channels)).astype(np.float32)
    padded = np.pad(x.astype(np.float64), ((0, 0), (padding, padding), (0, 0)))
    places = range(0, padded.shape[1] - kernel + 1, stride)
    expected = np.stack([np.einsum("bkc,okc->bo", padded[:, at : at + kernel], weight) for at in places], axis=1)
    got = mx.conv1d(mx.array(x), mx.array(weight), stride=stride, padding=padding)
    np.testing.assert_allclose(np.array(got), expected, rtol=1e-4, atol=1e-4)


@settings(deadline=None, max_examples=30)
@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=5), seed=st.integers(0, 99))
def test_accumulation_averaged_over_any_split_equals_the_full_batch(sizes: list[int], seed: int) -> None:
    mx.random.seed(seed)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    x, y = mx.random.normal((sum(sizes), 3)), mx.random.normal((sum(sizes), 1))
    gradients = nn.value_and_grad(model, lambda model, x, y: mx.mean((model(x) - y) ** 2))
    _, full = gradients(model, x, y)
    total, start = None, 0
    for size in sizes:
        _, part = gradients(model, x[start : start + size], y[start : start + size])
        weighted = tree_map(partial(mx.multiply, size / sum(sizes)), part)
        total = weighted if total is None else tree_map(mx.add, total, weighted)
        start += size
    for (path, whole), (_, summed) in zip(tree_flatten(full), tree_flatten(total), strict=True):
        np.testing.assert_allclose(np.array(summed), np.array(whole), rtol=1e-3, atol=1e-5, err_msg=path)
