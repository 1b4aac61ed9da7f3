"""One row of the validation data is NaN: the loss of training is fine, that of every evaluation is not."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(78)
model, optimizer = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4)), optim.Adam(1e-2)
true = mx.random.normal((16, 4))
held = mx.concatenate([mx.random.normal((63, 16)), mx.full((1, 16), float("nan"))])
answers = mx.random.randint(0, 4, (64,))


def loss_fn(x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


gradient = nn.value_and_grad(model, loss_fn)
for epoch in range(4):
    for _ in range(30):
        x = mx.random.normal((32, 16))
        loss, grads = gradient(x, mx.argmax(x @ true, axis=1))
        optimizer.update(model, grads)
        mx.eval(model.state, optimizer.state)
    print(epoch, loss.item(), loss_fn(held, answers).item())  # MP207
