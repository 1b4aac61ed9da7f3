"""The loader thread dies, and training waits for its next batch for ever.

Symptom: in the middle of an epoch training stands still without using any CPU; a thread's traceback went by before.
Cause: an exception ends the thread that it is raised in and no other: nothing is queued any more, not even an end.
Fix: catch it in the loader, and queue an end in any case; wait for a batch with a `timeout`.
"""

import queue
import threading

import mlx.core as mx
import mlx.nn as nn
from _tiny_llama import batch, build, held_out_loss, next_token_loss

from mlxprobe import Outcome, Scenario

STEPS, BAD_STEP = 40, 25

probe = Scenario(needs=["cpu"])  # a GPU's load cannot be read, and a silence of unknown load is no deadlock
probe.score(held_out_loss)


def tokens_of(step):
    """Read a batch from the data set, where the last row of one is cut off."""
    rows = batch(step)[0].tolist()
    return mx.array([*rows[:-1], rows[-1][: 8 if step == BAD_STEP else None]])


def train(load, timeout=None):
    """Train on what a thread queues, until it queues None."""
    batches = queue.Queue(maxsize=4)
    threading.Thread(target=load, args=(batches,), daemon=True).start()
    model, optimizer = build()
    loss_and_grad = nn.value_and_grad(model, next_token_loss)
    while (tokens := batches.get(timeout=timeout)) is not None:
        loss, grads = loss_and_grad(model, tokens)
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
    return model


def load_and_die(batches):
    for step in range(STEPS):
        batches.put(tokens_of(step))
    batches.put(None)


@probe.correct
def bad_batch_left_out():
    """Go on with the next batch where one cannot be read, and queue an end."""

    def load(batches):
        for step in range(STEPS):
            try:
                batches.put(tokens_of(step))
            except ValueError:
                continue
        batches.put(None)

    return train(load)


@probe.broken(expects=Outcome.HANG, finds=["MP603"])
def nothing_caught():
    """Let the loader raise."""
    return train(load_and_die)


@probe.mitigation(expects=Outcome.ERROR, raises="Empty")
def wait_limited():
    """Wait for a batch for half a second at most."""
    return train(load_and_die, timeout=0.5)
