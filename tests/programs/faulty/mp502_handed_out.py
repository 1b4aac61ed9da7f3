"""Train a filter of four taps; who trains asks a factory for the compiled step, at each step."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(53)
signal = mx.random.normal((64, 4))
wanted = signal @ mx.array([[0.5], [-0.2], [0.1], [0.9]])
filter_ = nn.Linear(4, 1)
optimizer = optim.SGD(learning_rate=0.1)
optimizer.init(filter_.trainable_parameters())


def loss_fn(x, y):
    return nn.losses.mse_loss(filter_(x), y)


def compiled_step():
    state = [filter_.state, optimizer.state]

    def step(x, y):
        loss, grads = nn.value_and_grad(filter_, loss_fn)(x, y)
        optimizer.update(filter_, grads)
        return loss

    return mx.compile(step, inputs=state, outputs=state)  # MP502


def train(steps):
    for _ in range(steps):
        step = compiled_step()  # asked for again and again
        loss = step(signal, wanted)
        mx.eval(loss, filter_.state, optimizer.state)
    return loss.item()


print(train(40))
