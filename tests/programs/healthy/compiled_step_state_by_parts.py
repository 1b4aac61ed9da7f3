"""Compile training steps that are given their state by parts, by hand, or but for a counter that nobody reads."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(69)
x = mx.random.normal((64, 8))
y = mx.argmax(x @ mx.random.normal((8, 3)), axis=1)
mx.eval(x, y)


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


def built():
    return nn.Sequential(nn.Linear(8, 24), nn.Tanh(), nn.Linear(24, 3))


def without_the_counter():
    """Plain SGD, whose step counter is never read."""
    model, optimizer = built(), optim.SGD(learning_rate=0.3)

    @partial(mx.compile, inputs=model.state, outputs=model.state)
    def step(x, y):
        loss, grads = nn.value_and_grad(model, loss_fn)(model, x, y)
        optimizer.update(model, grads)
        return loss

    return step, model.state


def by_parts():
    """The trained head alone; the frozen body is a constant."""
    model, optimizer = built(), optim.Adam(learning_rate=0.05)
    model.layers[0].freeze()
    state = [model.layers[2].state, optimizer.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def step(x, y):
        loss, grads = nn.value_and_grad(model, loss_fn)(model, x, y)
        optimizer.update(model, grads)
        return loss

    return step, state


def two_optimizers():
    """One optimizer for biases and one for the rest, whose state is put together anew whenever it is asked for."""
    model = built()
    optimizer = optim.MultiOptimizer(
        [optim.SGD(learning_rate=0.1, momentum=0.9), optim.Adam(learning_rate=0.02)],
        [lambda path, _: path.endswith("bias")],
    )
    optimizer.init(model.trainable_parameters())
    state = [model.state, optimizer.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def step(x, y):
        loss, grads = nn.value_and_grad(model, loss_fn)(model, x, y)
        optimizer.update(model, grads)
        return loss

    return step, state


def by_hand():
    """A pure function: parameters and moments are passed in and returned."""
    model, optimizer = built(), optim.Adam(learning_rate=0.05)
    optimizer.init(model.trainable_parameters())
    held = [model.trainable_parameters(), optimizer.state]

    @mx.compile
    def pure(parameters, state, x, y):
        model.update(parameters)
        optimizer.state = state
        loss, grads = nn.value_and_grad(model, loss_fn)(model, x, y)
        optimizer.update(model, grads)
        return loss, model.trainable_parameters(), optimizer.state

    def step(x, y):
        loss, *held[:] = pure(*held, x, y)
        return loss

    return step, held


for make in (without_the_counter, by_parts, two_optimizers, by_hand):
    step, state = make()
    losses = []
    for _ in range(25):
        loss = step(x, y)
        mx.eval(loss, state)
        losses.append(loss.item())
    print(f"{make.__name__:20s} {losses[0]:.3f} -> {losses[-1]:.3f}")
