"""Two halves of a model on two ranks: activations go forth, gradients come back.

Symptom: both ranks wait in `recv`, or one in `send`; or the last message is lost when its partner ends.
Cause: every `send` needs its `recv` on the other rank, in the same order; one side has more of them.
Fix: pair them: as many, of the same shape, in the same order; evaluate what was sent.
Limits: with batches of another size the stages no longer fit: what is received has its shape written out.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from _ranks import FEATURES, STEPS, batches

from mlxprobe import Outcome, Scenario

LONELY = {
    "gpu": Outcome.HANG,
    "mlx<0.32.1": Outcome.HANG,
    "else": Outcome.ERROR,
}  # since then a ring notices a lost peer

probe = Scenario(ranks=2, needs=["cpu"])  # CUDA has no Send up to 0.32.4


def first_half(steps=STEPS):
    mx.random.seed(0)
    layer, optimizer = nn.Linear(FEATURES, 16), optim.SGD(0.05)
    for x, _ in batches(0, steps):
        mx.eval(mx.distributed.send(nn.tanh(layer(x)), 1))
        cotangent = mx.distributed.recv((32, 16), mx.float32, 1)
        mx.eval(cotangent)

        def pulled(layer, x, cotangent):
            return mx.sum(nn.tanh(layer(x)) * cotangent)

        _, grads = nn.value_and_grad(layer, pulled)(layer, x, cotangent)
        optimizer.update(layer, grads)
        mx.eval(layer.parameters(), optimizer.state)
    return layer.parameters()


def second_half(steps=STEPS):
    mx.random.seed(1)
    layer, optimizer = nn.Linear(16, 1), optim.SGD(0.05)

    def loss(parameters, h, y):
        layer.update(parameters)
        return nn.losses.mse_loss(layer(h), y)

    for _, y in batches(0, steps):
        h = mx.distributed.recv((32, 16), mx.float32, 0)
        mx.eval(h)
        value, (grads, back) = mx.value_and_grad(loss, argnums=(0, 1))(layer.trainable_parameters(), h, y)
        optimizer.update(layer, grads)
        mx.eval(layer.parameters(), optimizer.state, value)
        mx.eval(mx.distributed.send(back, 0))
    return layer.parameters()


@probe.correct
def both_ways():
    """Send, receive, and the other way round."""
    return second_half() if mx.distributed.init().rank() else first_half()


@probe.broken(expects=LONELY, finds=["MP701"], comparable=False)
def one_send_less():
    """Receive once more than is sent."""
    return second_half() if mx.distributed.init().rank() else first_half(STEPS - 1)
