"""Which losses of log-probabilities know no label: pure drawing, nothing is trained."""

from collections.abc import Callable
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.graph.loss_classifier import LossKind

CLASSES = 5


def one_hot_set(logp: Any, labels: Any) -> Any:
    return -(mx.zeros_like(logp).at[mx.arange(len(logp)), labels].add(1.0) * logp).sum(-1).mean()


PICKED = {
    "indexed": lambda logp, labels: -logp[mx.arange(len(logp)), labels].mean(),
    "taken": lambda logp, labels: -mx.take(logp.reshape(-1), mx.arange(len(logp)) * CLASSES + labels).mean(),
    "along the axis": lambda logp, labels: -mx.take_along_axis(logp, labels[:, None], -1).mean(),
    "compared": lambda logp, labels: -((mx.arange(CLASSES) == labels[:, None]) * logp).sum(-1).mean(),
    "where": lambda logp, labels: -mx.where(mx.arange(CLASSES) == labels[:, None], logp, 0.0).sum(-1).mean(),
    "rows of an eye": lambda logp, labels: -(mx.eye(CLASSES)[labels] * logp).sum(-1).mean(),
    "one-hot by writing": one_hot_set,
}


def drawn(loss: Callable[..., Any], *, lazy: bool) -> bool:
    rows, out = nn.Embedding(20, 8), nn.Linear(8, CLASSES)
    ids, labels = mx.zeros((16, 3), dtype=mx.int32), mx.zeros((16,), dtype=mx.int32)
    mx.eval(rows.parameters(), out.parameters(), ids, labels)
    ids, labels = ids[:8], labels[:8]
    mx.eval([] if lazy else [ids, labels])
    logits = out(rows(ids).mean(axis=1))
    made = loss(logits - mx.logsumexp(logits, axis=-1, keepdims=True), labels)
    return LossKind(lazy_graph.dot(loss=made, a0=ids, a1=labels), frozenset({"a0", "a1"})).label_free({"a0", "a1"})


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("way", PICKED)
def test_a_label_that_picks_is_seen_however_it_does(way: str, lazy: bool) -> None:
    assert not drawn(PICKED[way], lazy=lazy)


@pytest.mark.parametrize("lazy", [False, True])
def test_a_mean_of_all_log_probabilities_knows_no_label(lazy: bool) -> None:
    assert drawn(lambda logp, _: -logp.mean(), lazy=lazy)
