"""Build a new loss closure and a new value_and_grad for every batch, as notebooks often do."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def train_step(model, optimizer, x, y, smoothing):
    def loss_fn(model):
        return nn.losses.cross_entropy(model(x), y, label_smoothing=smoothing, reduction="mean")

    loss, grads = nn.value_and_grad(model, loss_fn)(model)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    return loss.item()


mx.random.seed(65)
model = nn.Sequential(nn.Linear(5, 24), nn.ELU(), nn.Linear(24, 4))
optimizer = optim.Adagrad(learning_rate=0.1)
centres = 2 * mx.random.normal((4, 5))
losses = []
for step in range(35):
    y = mx.random.randint(0, 4, (48,))
    x = centres[y] + mx.random.normal((48, 5))
    losses.append(train_step(model, optimizer, x, y, smoothing=0.1 if step < 10 else 0.0))
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
