"""Train a classifier whose learning rate climbs from exactly zero and then follows a cosine."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

STEPS, WARMUP = 40, 6


def make_data(count):
    x = mx.random.normal((count, 8))
    y = (x[:, 0] * 2 + x[:, 3] - x[:, 5] > 0).astype(mx.int32)
    return x, y


def loss_fn(model, x, y):
    return mx.mean(nn.losses.cross_entropy(model(x), y))


def main():
    mx.random.seed(3)
    x, y = make_data(256)
    model = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 2))
    schedule = optim.join_schedules(
        [optim.linear_schedule(0.0, 2e-2, WARMUP), optim.cosine_decay(2e-2, STEPS - WARMUP)], [WARMUP]
    )
    optimizer = optim.AdamW(learning_rate=schedule)
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    first = last = None
    for _ in range(STEPS):
        loss, grads = loss_and_grad(model, x, y)
        optimizer.update(model, grads)
        mx.eval(model.state, optimizer.state)
        last = loss.item()
        first = last if first is None else first
    print(f"loss {first:.3f} -> {last:.3f}")


if __name__ == "__main__":
    main()
