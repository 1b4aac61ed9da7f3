"""Ask a network for twenty samples of its outputs on the same rows, with dropout on, and take their spread at once."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(12)
INPUTS = mx.random.uniform(-2, 2, (2000, 1))
TARGETS = mx.sin(2 * INPUTS) + 0.1 * mx.random.normal(INPUTS.shape)
model = nn.Sequential(nn.Linear(1, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
optimizer = optim.SGD(0.03, momentum=0.9)


def loss(model, inputs, targets):
    return ((model(inputs) - targets) ** 2).mean()


for _ in range(12):
    order = mx.random.permutation(2000)
    for start in range(0, 2000, 50):
        rows = order[start : start + 50]
        value, gradients = nn.value_and_grad(model, loss)(model, INPUTS[rows], TARGETS[rows])
        optimizer.update(model, gradients)
        mx.eval(value, model.parameters(), optimizer.state)
    print(value.item())
samples = mx.stack([model(INPUTS) for _ in range(20)])
print(mx.sqrt(samples.var(axis=0)).mean().item())
