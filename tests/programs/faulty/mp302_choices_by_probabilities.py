"""A policy's choices are drawn by what its softmax returns, where logits are wanted."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.into, self.out = nn.Linear(6, 32), nn.Linear(32, 5)

    def __call__(self, state):
        return self.out(mx.tanh(self.into(state)))

    def act(self, state):
        chances = mx.softmax(self(state), axis=-1)
        return mx.random.categorical(chances / 0.8)  # MP302


def loss_fn(policy, states, choices, worth):
    likely = nn.log_softmax(policy(states), axis=-1)
    return -mx.mean(mx.take_along_axis(likely, choices[:, None], axis=1)[:, 0] * worth)


mx.random.seed(3)
rule = mx.random.normal((6, 5))
policy, optimizer = Policy(), optim.Adam(learning_rate=5e-3)
gradient = nn.value_and_grad(policy, loss_fn)
for step in range(60):
    states = mx.random.normal((64, 6))
    choices = policy.act(states)
    worth = (choices == mx.argmax(states @ rule, axis=-1)).astype(mx.float32) - 0.2
    loss, grads = gradient(policy, states, choices, worth)
    optimizer.update(policy, grads)
    mx.eval(policy.parameters(), optimizer.state, loss)
print(loss.item())
