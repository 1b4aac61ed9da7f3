"""Rollouts that all begin in the same state: the rows of the input are equal."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(18)
pi = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))
opt = optim.Adam(5e-3)
A = mx.array([[1.0, 0.1], [0.0, 1.0]])
B = mx.array([[0.0], [0.1]])


def cost(pi, x0, noise):
    x, total = x0, 0
    for t in range(20):
        x = x @ A.T + pi(x) @ B.T + noise[:, t]
        total = total + (x**2).sum(1).mean()
    return total / 20


vg = nn.value_and_grad(pi, cost)
for k in range(80):
    x0 = mx.broadcast_to(mx.array([1.0, 0.0]), (32, 2))
    loss, g = vg(pi, x0, 0.02 * mx.random.normal((32, 20, 2)))
    opt.update(pi, g)
    mx.eval(pi.parameters(), opt.state, loss)
    if k % 20 == 0:
        print(loss.item())
