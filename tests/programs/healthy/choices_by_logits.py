"""Choices are drawn by logits, by logarithms of probabilities, by the best logits alone, and by what is even."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.into, self.out = nn.Linear(6, 32), nn.Linear(32, 5)

    def __call__(self, state):
        return self.out(mx.tanh(self.into(state)))


def choose(logits, how):
    if how == 0:
        return mx.random.categorical(logits / 0.8)
    if how == 1:
        return mx.random.categorical(mx.log(mx.softmax(logits, axis=-1) + 1e-9))
    if how == 2:
        return mx.random.categorical(nn.log_softmax(logits, axis=-1))
    if how == 3:
        best = mx.sort(logits, axis=-1)[:, -3:-2]
        kept = mx.where(logits >= best, logits, -mx.inf)
        mx.eval(kept)
        return mx.random.categorical(kept)
    return mx.random.categorical(mx.full((5,), 0.2), num_samples=logits.shape[0])


def loss_fn(policy, states, choices, worth):
    likely = nn.log_softmax(policy(states), axis=-1)
    return -mx.mean(mx.take_along_axis(likely, choices[:, None], axis=1)[:, 0] * worth)


mx.random.seed(3)
rule = mx.random.normal((6, 5))
policy, optimizer = Policy(), optim.Adam(learning_rate=5e-3)
gradient = nn.value_and_grad(policy, loss_fn)
for step in range(60):
    states = mx.random.normal((64, 6))
    choices = choose(policy(states), step % 5)
    worth = (choices == mx.argmax(states @ rule, axis=-1)).astype(mx.float32) - 0.2
    loss, grads = gradient(policy, states, choices, worth)
    optimizer.update(policy, grads)
    mx.eval(policy.parameters(), optimizer.state, loss)
print(loss.item())
