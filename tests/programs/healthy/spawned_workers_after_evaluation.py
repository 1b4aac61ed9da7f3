"""Train a little, then let spawned worker processes write a summary of the losses while MLX is in use here."""

import multiprocessing
import statistics

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def summarise(losses):
    return statistics.fmean(losses), min(losses)


def train(steps=20):
    mx.random.seed(43)
    x = mx.random.normal((64, 4))
    y = x @ mx.array([[1.0], [2.0], [-1.0], [0.5]])
    model = nn.Linear(4, 1)
    optimizer = optim.SGD(learning_rate=0.2)
    loss_and_grad = nn.value_and_grad(model, lambda m, x, y: nn.losses.mse_loss(m(x), y))
    for _ in range(steps):
        loss, grads = loss_and_grad(model, x, y)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        yield loss.item()


def main():
    losses = list(train())
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        halves = pool.map(summarise, [losses[:10], losses[10:]])
    for mean, least in halves:
        print(f"mean {mean:.4f} least {least:.4f}")


if __name__ == "__main__":
    main()
