"""Fit a linear model with a compiled training step that updates the model and its optimizer."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(41)

inputs = mx.random.normal((64, 8))
targets = inputs @ mx.arange(8, dtype=mx.float32)[:, None]
mx.eval(inputs, targets)

model = nn.Linear(8, 1, bias=False)
optimizer = optim.SGD(learning_rate=0.05)
state = [model.state, optimizer.state]
mx.eval(state)


def loss_fn(model, x, y):
    residual = (model(x) - y).squeeze(-1)
    return mx.inner(residual, residual) / len(x)


loss_and_grad = nn.value_and_grad(model, loss_fn)


def train_step(x, y):
    loss, grads = loss_and_grad(model, x, y)
    optimizer.update(model, grads)
    return loss


compiled_step = mx.compile(train_step, outputs=state)  # MP501

losses = []
for _ in range(30):
    loss = compiled_step(inputs, targets)
    mx.eval(state)
    losses.append(loss.item())

print(f"{losses[0]:.3f} -> {losses[-1]:.3f}")

# also: MP306
