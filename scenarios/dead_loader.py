"""The loader thread dies, and training waits for its next batch for ever.

Symptom: somewhere in an epoch training stands still; no process uses any CPU, and the traceback of a thread scrolled
    by long ago.
Cause: an exception ends the thread that it is raised in and no other: nothing is queued any more, not even an end.
Fix: catch it in the loader and queue it; raise it again where the batches are taken out.
"""

import queue
import threading

import mlx.core as mx
import mlx.nn as nn
from _tiny_llama import batch, build, held_out_loss

from mlxprobe import Outcome, Scenario

STEPS, BAD_STEP = 40, 25

probe = Scenario(needs=["cpu"])  # the load of a GPU cannot be read, and without it no silence is a deadlock
probe.score(held_out_loss)


def record(step):
    """Read a batch's record from the data set; one of them is cut off."""
    rows = batch(step)[0].tolist()
    return rows[:-1] + [rows[-1][: len(rows[-1]) // (1 + (step == BAD_STEP))]]


def train(batches, wait_s=None):
    """Train on what is queued until None comes."""
    model, optimizer = build()
    loss_and_grad = nn.value_and_grad(
        model, lambda model, x: nn.losses.cross_entropy(model(x[:, :-1]), x[:, 1:], reduction="mean")
    )
    while (tokens := batches.get(timeout=wait_s)) is not None:
        if isinstance(tokens, Exception):
            raise tokens
        loss, grads = loss_and_grad(model, tokens)
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
    return model


def start(load):
    """Run a loader in a thread of its own, and return its queue."""
    batches = queue.Queue(maxsize=4)
    threading.Thread(target=load, args=(batches,), daemon=True).start()
    return batches
