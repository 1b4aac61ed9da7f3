"""Learn values by temporal differences against a target network that follows the online one by a moving average."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

STATES, GAMMA, TAU = 8, 0.5, 0.2


def build():
    return nn.Sequential(nn.Linear(STATES, 32), nn.Tanh(), nn.Linear(32, 1))


def follow(target, online):
    mixed = tree_map(lambda t, o: (1 - TAU) * t + TAU * o, target.parameters(), online.parameters())
    target.update(mixed)


def loss_fn(online, state, wanted):
    return nn.losses.mse_loss(online(state), wanted)


mx.random.seed(33)
online, target = build(), build()
target.update(online.parameters())
target.freeze()
optimizer = optim.Adam(learning_rate=0.02)
loss_and_grad = nn.value_and_grad(online, loss_fn)
rewards = mx.random.uniform(0, 4, (STATES,))
eye = mx.eye(STATES)

losses = []
for _ in range(40):
    index = mx.random.randint(0, STATES, (64,))
    following = (index + 1) % STATES
    wanted = rewards[index][:, None] + GAMMA * target(eye[following])
    loss, grads = loss_and_grad(online, eye[index], wanted)
    optimizer.update(online, grads)
    follow(target, online)
    mx.eval(online.parameters(), optimizer.state, target.parameters())
    losses.append(loss.item())
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
