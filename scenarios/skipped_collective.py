"""One rank goes on to its next batch without the collective that the others wait in.

Symptom: training stands still, or ends at its last step with an error of the connection; no line of it is wrong.
Cause: a collective ends when every rank has built it. A rank that leaves one out joins the next one instead, and the
ranks pair what does not belong together; at the end one of them waits for a partner that has gone.
Fix: build the same collectives on every rank: decide together (reduce the reason to skip first), or give the rank that
has nothing a contribution of zeros.
"""

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


@probe.correct
def averaged():
    """Average the gradients on every rank, at every step."""
    group = mx.distributed.init()
    model, optimizer = network()
    loss_and_grad = nn.value_and_grad(model, loss)
    for x, y in batches(group.rank()):
        value, grads = loss_and_grad(model, x, y)
        grads = nn.average_gradients(grads)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, value)
    return model.parameters()


@probe.broken(expects=LONELY, finds=["MP701"], comparable=False)
def skipped_for_its_loss():
    """Leave out an update where the rank's own loss is too high, and tell the others nothing."""
    return train_but_skip(1)


@probe.broken(expects=LONELY, finds=["MP701"], comparable=False, ranks=4)
def one_of_four_skips():
    """Leave it out on one rank of four."""
    return train_but_skip(2)


def train_but_skip(rank):
    group = mx.distributed.init()
    model, optimizer = network()
    loss_and_grad = nn.value_and_grad(model, loss)
    for n, (x, y) in enumerate(batches(group.rank())):
        value, grads = loss_and_grad(model, x, y)
        if group.rank() == rank and n == 6:
            continue
        grads = nn.average_gradients(grads)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, value)
    return model.parameters()


@probe.mitigation()
def skipped_together():
    """Decide together: the update is left out where the loss is too high on any rank."""
    group = mx.distributed.init()
    model, optimizer = network()
    loss_and_grad = nn.value_and_grad(model, loss)
    for x, y in batches(group.rank()):
        value, grads = loss_and_grad(model, x, y)
        worst = mx.distributed.all_max(value)
        if worst.item() > 1e6:
            continue
        grads = nn.average_gradients(grads)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, value)
    return model.parameters()
