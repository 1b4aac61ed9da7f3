"""Train a policy in a compiled step; the probability of the chosen actions comes from outside the loss function."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(3)
policy = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 4))
optimizer = optim.SGD(learning_rate=0.1)
state = [policy.state, optimizer.state]
mx.eval(state)


def policy_loss(model, chosen, advantages):
    return -mx.mean(chosen * advantages)


gradient = nn.value_and_grad(policy, policy_loss)


@partial(mx.compile, inputs=state, outputs=state)
def step(observations, actions, advantages):
    logits = policy(observations)
    picked = mx.take_along_axis(logits, actions[:, None], axis=-1).squeeze(-1)
    loss, grads = gradient(policy, picked - mx.logsumexp(logits, axis=-1), advantages)  # MP201
    optimizer.update(policy, grads)
    return loss


for index in range(12):
    observations = mx.random.normal((32, 6))
    actions = mx.random.randint(0, 4, (32,))
    loss = step(observations, actions, mx.random.normal((32,)))
    mx.eval(loss, state)
print(loss.item())
