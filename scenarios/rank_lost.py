"""One rank ends while the others train on.

Symptom: all ranks but one fail with "connection to a peer was lost", or wait for ever; the message says nothing of why.
Cause: one rank met an exception, or was killed, and the others meet its absence in their next collective.
Fix: look for the rank that ended first: its error is the cause, the others' follow.
"""

import os
import signal

import mlx.core as mx
import mlx.nn as nn
from _ranks import batches, loss, network

from mlxprobe import Outcome, Scenario

LONELY = {
    "gpu": Outcome.HANG,
    "mlx<0.32.1": Outcome.HANG,
    "else": Outcome.ERROR,
}  # since then a ring notices a lost peer

probe = Scenario(ranks=2)


def train(meets):
    group = mx.distributed.init()
    model, optimizer = network()
    loss_and_grad = nn.value_and_grad(model, loss)
    for n, (x, y) in enumerate(batches(group.rank())):
        if group.rank() == 1 and n == 6:
            meets()
        value, grads = loss_and_grad(model, x, y)
        grads = nn.average_gradients(grads)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, value)
    return model.parameters()


@probe.correct
def all_to_the_end():
    """Train to the end on every rank."""
    return train(lambda: None)


@probe.broken(expects=LONELY, finds=["MP704"], comparable=False)
def one_raises():
    """Meet a bad batch on one rank."""

    def meets():
        raise ValueError("bad batch")

    return train(meets)


@probe.broken(expects=Outcome.CRASH, finds=["MP704"], comparable=False)
def one_killed():
    """Be killed, as by the kernel where memory is short."""
    return train(lambda: os.kill(os.getpid(), signal.SIGKILL))


@probe.broken(expects=LONELY, finds=["MP704"], comparable=False, ranks=4)
def one_of_four_raises():
    """Meet a bad batch on one rank of four: the two beside it hear of it first."""

    def meets():
        raise ValueError("bad batch")

    return train(meets)
