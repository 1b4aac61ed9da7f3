"""A validation pass is one graph of all its batches.

Symptom: training fits, and the first validation needs many times the memory.
Cause: the losses are only added up; the one value that is read at last runs all batches at once.
Fix: read each batch's loss (`loss.item()`), or `mx.eval(total)` after each batch.
"""

import mlx.core as mx
from _classifier import batch, epoch, loss, network

from mlxprobe import Outcome, Scenario

probe = Scenario()


def train(validate):
    """Train, and validate on forty large batches after each of two epochs."""
    model, optimizer = network(dropout=0.0)
    for _ in range(2):
        epoch(model, optimizer)
        validate(model)
    return model


@probe.correct
def read_batch_by_batch():
    """Read every batch's loss."""
    return train(lambda model: sum(loss(model, *batch(2000)).item() for _ in range(40)) / 40)


@probe.broken(expects=Outcome.PASS, finds=["MP107"])
def read_at_the_end():
    """Add up, and read once."""
    return train(lambda model: (sum((loss(model, *batch(2000)) for _ in range(40)), mx.array(0.0)) / 40).item())
