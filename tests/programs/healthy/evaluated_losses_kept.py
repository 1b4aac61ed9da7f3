"""Keep every step's loss as an evaluated array and average them all when training is over."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def one_hot(index, count):
    return mx.eye(count)[index]


mx.random.seed(69)
model = nn.Bilinear(6, 6, 4)
optimizer = optim.Lion(learning_rate=0.02)
loss_and_grad = nn.value_and_grad(
    model, lambda m, a, b, y: nn.losses.cross_entropy(m(one_hot(a, 6), one_hot(b, 6)), y, reduction="mean")
)
losses = []
for _ in range(40):
    a, b = mx.random.randint(0, 6, (96,)), mx.random.randint(0, 6, (96,))
    loss, grads = loss_and_grad(model, a, b, (a + b) % 4)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    losses.append(loss)
curve = mx.stack(losses)
print(f"loss {mx.mean(curve[:5]).item():.3f} -> {mx.mean(curve[-5:]).item():.3f}")
