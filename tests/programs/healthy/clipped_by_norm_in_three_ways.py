"""Clipping by norm: applied, with a limit that is never reached, and for the norm alone, in two ways."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def train(seed, clip):
    mx.random.seed(seed)
    net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
    optimizer = optim.SGD(learning_rate=3e-2)
    gradient = nn.value_and_grad(net, lambda x, y: nn.losses.mse_loss(net(x), y))
    for _ in range(40):
        x = mx.random.normal((32, 4))
        loss, grads = gradient(x, 3 * x.sum(axis=1, keepdims=True))
        optimizer.update(net, clip(grads))
        mx.eval(net.parameters(), optimizer.state, loss)
    return loss.item()


def logged(grads):
    _, norm = optim.clip_grad_norm(grads, max_norm=float("inf"))
    norms.append(norm.item())
    return grads


def logged_beside(grads):
    norms.append(optim.clip_grad_norm(grads, 1.0)[1].item())
    _, norm = optim.clip_grad_norm(grads, max_norm=0.5)
    norms.append(norm.item())
    return grads


norms: list[float] = []
print(train(1, lambda grads: optim.clip_grad_norm(grads, 8.0)[0]))
print(train(2, lambda grads: optim.clip_grad_norm(grads, 1e6)[0]))
print(train(3, logged), max(norms))
print(train(4, logged_beside), max(norms))
