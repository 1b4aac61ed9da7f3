"""A loader thread queues lazy batches that the main thread evaluates.

Symptom: on Metal from MLX 0.31.2 and on the CPU from 0.32.0 the first evaluation raises
`There is no Stream(cpu, 0) in current thread`.
Cause: an array is bound to a stream of the thread that described it, and streams now belong to threads.
Fix: `mx.eval(batch)` in the loader, before the batch is queued.
"""

import queue
import threading

import mlx.core as mx
import mlx.nn as nn
from _tiny_llama import batch, build, held_out_loss

from mlxprobe import Outcome, Scenario

STEPS = 30

probe = Scenario()
probe.score(held_out_loss)


def loss_fn(model, inputs, targets):
    return nn.losses.cross_entropy(model(inputs), targets, reduction="mean")


def train(batches):
    """Train on what the loader queues."""
    model, optimizer = build()
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    for _ in range(STEPS):
        loss, grads = loss_and_grad(model, *batches.get())
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
    return model


@probe.correct
def evaluated_batches():
    """Evaluate each batch in the thread that makes it."""
    batches = queue.Queue(maxsize=4)

    def load():
        for step in range(STEPS):
            tokens = batch(step)[0]
            inputs, targets = tokens[:, :-1], tokens[:, 1:]
            mx.eval(inputs, targets)
            batches.put((inputs, targets))

    threading.Thread(target=load, daemon=True).start()
    return train(batches)


@probe.broken(
    expects={"mlx<0.32": Outcome.PASS, "mlx>=0.32": Outcome.ERROR},
    raises="There is no Stream",
    finds=["MP602"],
)
def lazy_batches():
    """Queue the batches as they are, unevaluated."""
    batches = queue.Queue(maxsize=4)

    def load():
        for step in range(STEPS):
            tokens = batch(step)[0]
            inputs, targets = tokens[:, :-1], tokens[:, 1:]
            batches.put((inputs, targets))

    threading.Thread(target=load, daemon=True).start()
    return train(batches)
