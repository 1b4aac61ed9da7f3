"""Train without a module or without an optimizer, in the usual forms: what the gradient gives reaches the next call."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

mx.random.seed(73)
x = mx.random.normal((64, 5))
y = mx.tanh(x @ mx.random.normal((5, 1)))
mx.eval(x, y)
RATE, STEPS = 0.1, 20


def forward(parameters, x):
    (w1, b1), (w2, b2) = parameters
    return mx.tanh(x @ w1 + b1) @ w2 + b2


def loss_fn(parameters, x, y):
    return mx.mean((forward(parameters, x) - y) ** 2)


def fresh():
    return ((mx.random.normal((5, 8)) * 0.4, mx.zeros((8,))), (mx.random.normal((8, 1)) * 0.3, mx.zeros((1,))))


def descended(parameters, grads):
    return tree_map(lambda p, g: p - RATE * g, parameters, grads)


def tuples_read_alone():
    parameters, losses = fresh(), []
    for _ in range(STEPS):
        loss, grads = mx.value_and_grad(loss_fn)(parameters, x, y)
        parameters = descended(parameters, grads)
        losses.append(loss.item())
    return losses


def compiled_pure_step():
    @mx.compile
    def step(parameters, x, y):
        loss, grads = mx.value_and_grad(loss_fn)(parameters, x, y)
        return loss, descended(parameters, grads)

    parameters, losses = fresh(), []
    for _ in range(STEPS):
        loss, parameters = step(parameters, x, y)
        mx.eval(loss, parameters)
        losses.append(loss.item())
    return losses


def module_by_hand():
    model, losses = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1)), []
    loss_and_grad = nn.value_and_grad(model, lambda x, y: mx.mean((model(x) - y) ** 2))
    for _ in range(STEPS):
        loss, grads = loss_and_grad(x, y)
        model.update(descended(model.trainable_parameters(), grads))
        losses.append(loss.item())
    return losses


def optimizer_returns_them():
    optimizer, parameters, losses = optim.Adam(learning_rate=0.02), {"layers": fresh()[0][:1]}, []
    for _ in range(STEPS):
        loss, grads = mx.value_and_grad(lambda p: mx.mean((x @ p["layers"][0])[:, :1] - y) ** 2)(parameters)
        parameters = optimizer.apply_gradients(grads, parameters)
        mx.eval(loss, parameters)
        losses.append(loss.item())
    return losses


def robust_against_noise():
    """Train on inputs moved along their own gradient, which no optimizer is to change."""
    model, optimizer, losses = nn.Linear(5, 1), optim.SGD(learning_rate=RATE), []
    of_inputs = mx.grad(lambda x: mx.mean((model(x) - y) ** 2))
    loss_and_grad = nn.value_and_grad(model, lambda x, y: mx.mean((model(x) - y) ** 2))
    for _ in range(STEPS):
        loss, grads = loss_and_grad(x + 0.05 * mx.sign(of_inputs(x)), y)
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        losses.append(loss.item())
    return losses


for train in (robust_against_noise, tuples_read_alone, compiled_pure_step, module_by_hand, optimizer_returns_them):
    losses = train()
    print(f"{train.__name__:24s} {losses[0]:.4f} -> {losses[-1]:.4f}")
