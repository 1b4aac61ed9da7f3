"""Search over rates and widths with a model and an optimizer for each trial; poor trials are given up early."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

TURNS, EARLY = 60, 24

mx.random.seed(81)
mix = mx.random.normal((6, 1))
x = mx.random.normal((128, 6))
y = mx.sin(x @ mix)


def loss_fn(model, x, y):
    return nn.losses.mse_loss(model(x), y)


def trial(width, rate, best):
    model = nn.Sequential(nn.Linear(6, width), nn.Tanh(), nn.Linear(width, 1))
    optimizer = optim.SGD(learning_rate=rate)
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    for turn in range(TURNS):
        rows = mx.random.randint(0, 128, (32,))
        loss, grads = loss_and_grad(model, x[rows], y[rows])
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        if turn == EARLY and loss.item() > 2 * best:
            break
    return loss.item()


best = float("inf")
for number in range(10):
    width, rate = (4, 12)[number % 2], (0.2, 0.1, 0.02, 0.001, 0.0003)[number // 2]
    found = trial(width, rate, best)
    best = min(best, found)
    print(f"width {width}, rate {rate}: {found:.3f}")
