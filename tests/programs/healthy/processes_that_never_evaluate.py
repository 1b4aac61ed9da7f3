"""Train a linear model next to child processes of many kinds, none of which evaluates MLX arrays."""

import multiprocessing
import os
import pty
import subprocess
import sys

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

mx.random.seed(66)
weights = mx.array([[2.0], [-1.0], [0.5]])
model = nn.Linear(3, 1)
optimizer = optim.Adam(learning_rate=0.05)
loss_and_grad = nn.value_and_grad(model, lambda model, x, y: nn.losses.mse_loss(model(x), y))


def train(steps):
    for _ in range(steps):
        x = mx.random.normal((32, 3))
        loss, grads = loss_and_grad(model, x, x @ weights)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, loss)
    return loss.item()


def augment(seed):
    """Draw a batch with NumPy alone."""
    return float(np.random.default_rng(seed).normal(size=16).mean())


def executed():
    child = os.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", "print('executed')"])
    os.waitpid(child, 0)


def in_terminal():
    child, terminal = pty.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    os.close(terminal)


if __name__ == "__main__":
    print(f"{train(10):.4f}")
    for _ in range(3):
        with multiprocessing.get_context("fork").Pool(2) as pool:
            means = pool.map(augment, range(4))
        train(10)
    subprocess.run(["true"], preexec_fn=os.setsid, check=True)
    executed()
    in_terminal()
    print(f"{train(100):.4f}, {len(means)} batches")
