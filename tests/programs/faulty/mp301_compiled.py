"""Train a classifier in a compiled step whose loss takes the labels and averages all log-probabilities."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(5)
model = nn.Sequential(nn.Linear(12, 24), nn.GELU(), nn.Linear(24, 5))
optimizer = optim.AdamW(learning_rate=0.003)
state = [model.state, optimizer.state, mx.random.state]
mx.eval(state)


def classification_loss(model, features, labels):
    logits = model(features)
    return -mx.mean(logits - mx.logsumexp(logits, axis=-1, keepdims=True))  # MP301


gradient = nn.value_and_grad(model, classification_loss)


@partial(mx.compile, inputs=state, outputs=state)
def step(features, labels):
    loss, grads = gradient(model, features, labels)
    optimizer.update(model, grads)
    return loss


for _ in range(8):
    features = mx.random.normal((32, 12))
    loss = step(features, mx.argmax(features[:, :5], axis=-1))
    mx.eval(loss, state)
print(loss.item())
