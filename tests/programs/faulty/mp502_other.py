"""Train a linear denoiser with a compiled step whose random masks are drawn from the step's number."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(51)

basis = mx.random.normal((3, 10))
samples = mx.random.normal((64, 3)) @ basis
mx.eval(samples)

model = nn.Linear(10, 10, bias=False)
optimizer = optim.SGD(learning_rate=0.02)
optimizer.init(model.trainable_parameters())
state = [model.state, optimizer.state]
mx.eval(state)


def loss_fn(model, masked, clean):
    error = (model(masked) - clean).flatten()
    return mx.inner(error, error) / len(clean)


@partial(mx.compile, inputs=state, outputs=state)
def train_step(clean, seed):
    keep = mx.random.bernoulli(0.8, clean.shape, key=mx.random.key(seed))
    loss, grads = nn.value_and_grad(model, loss_fn)(model, mx.where(keep, clean, 0), clean)
    optimizer.update(model, grads)
    return loss


losses = []
for step in range(25):
    loss = train_step(samples, step)  # MP502
    mx.eval(loss, state)
    losses.append(loss.item())

print(f"{losses[0]:.3f} -> {losses[-1]:.3f}")
