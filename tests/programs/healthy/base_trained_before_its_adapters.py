"""Train a network whose adapters wait, frozen and without effect; then freeze it, and train them on another task."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(32)


class WithAdapter(nn.Module):
    def __init__(self, inputs, outputs, rank=2):
        super().__init__()
        self.dense = nn.Linear(inputs, outputs)
        self.left = mx.random.normal((inputs, rank)) / inputs
        self.right = mx.zeros((rank, outputs))

    def __call__(self, x):
        return self.dense(x) + (x @ self.left) @ self.right


def fit(model, target, steps):
    optimizer = optim.Adam(learning_rate=1e-2)
    loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))
    for _ in range(steps):
        x = mx.random.normal((64, 8))
        loss, grads = loss_and_grad(x, mx.tanh(x @ target))
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
    return loss.item()


model = nn.Sequential(WithAdapter(8, 32), nn.Tanh(), WithAdapter(32, 3))
model.freeze()
for layer in (model.layers[0], model.layers[2]):
    layer.dense.unfreeze()
print(f"base {fit(model, mx.random.normal((8, 3)), 60):.3f}")

model.freeze()
for layer in (model.layers[0], model.layers[2]):
    layer.unfreeze(keys=["left", "right"], recurse=False)
print(f"adapters {fit(model, mx.random.normal((8, 3)), 60):.3f}")
