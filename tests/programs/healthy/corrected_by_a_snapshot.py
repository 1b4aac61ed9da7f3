"""Correct each gradient by that of a snapshot on the same rows, which is taken once an epoch (SVRG)."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

mx.random.seed(2)
INPUTS = mx.random.normal((512, 8))
TARGETS = mx.sin(INPUTS @ mx.random.normal((8, 1)))


def network():
    return nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 1))


def loss(model, inputs, targets):
    return ((model(inputs) - targets) ** 2).mean()


model, snapshot = network(), network()
of_model, of_snapshot = nn.value_and_grad(model, loss), nn.value_and_grad(snapshot, loss)
optimizer = optim.SGD(0.1)
for _ in range(8):
    snapshot.update(model.parameters())
    full, mean = of_snapshot(snapshot, INPUTS, TARGETS)
    mx.eval(snapshot.parameters(), mean)
    print(full.item())
    order = mx.random.permutation(512)
    for start in range(0, 512, 32):
        rows = order[start : start + 32]
        _, gradients = of_model(model, INPUTS[rows], TARGETS[rows])
        _, before = of_snapshot(snapshot, INPUTS[rows], TARGETS[rows])
        optimizer.update(model, tree_map(lambda new, old, all_: new - old + all_, gradients, before, mean))
        mx.eval(model.parameters())
