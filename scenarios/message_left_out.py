"""One rank of a circle does not hand on what it received, and all wait for each other.

Symptom: training stands still; every rank waits in `recv`, at one and the same line.
Cause: each rank receives from the one before it and sends to the next. Where one leaves a message out, the next waits
for it, the one after that for the next, and so round to the one that left it out.
Fix: send in every round, if only zeros; leave out the work, not the message.
"""

import mlx.core as mx
from _ranks import STEPS

from mlxprobe import Outcome, Scenario

probe = Scenario(ranks=4, needs=["cpu"])  # CUDA has no Send up to 0.32.4


def hand_on(sends):
    """Pass a token round the ranks, each of which adds to it."""
    group = mx.distributed.init()
    rank, size = group.rank(), group.size()
    token = mx.zeros(4)
    for n in range(STEPS):
        if n or rank:
            token = mx.distributed.recv((4,), mx.float32, (rank - 1) % size)
            mx.eval(token)
        if sends(rank, n) and not (n == STEPS - 1 and rank == size - 1):
            mx.eval(mx.distributed.send(token + 1, (rank + 1) % size))
    return {"token": token}


@probe.correct
def handed_on_by_all():
    """Hand on in every round."""
    return hand_on(lambda rank, n: True)


@probe.broken(expects=Outcome.HANG, finds=["MP701"], comparable=False)
def left_out_by_one():
    """Leave one message out on one rank."""
    return hand_on(lambda rank, n: (rank, n) != (2, 6))
