"""A bandit's buffer to which the newest come first, and from which nothing is taken; images are its states."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(4)
policy = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = optim.SGD(learning_rate=1e-2)


def loss_fn(policy, images, rewards):
    return -mx.mean(nn.log_softmax(policy(images.reshape(-1, 64)), axis=-1)[:, 0] * rewards)


loss_and_grad = nn.value_and_grad(policy, loss_fn)
images, rewards = mx.random.uniform(shape=(4, 8, 8)), mx.ones((4,))
for step in range(70):
    images = mx.concatenate([mx.random.uniform(shape=(4, 8, 8)), images])
    rewards = mx.concatenate([mx.ones((4,)), rewards])
    loss, grads = loss_and_grad(policy, images, rewards)  # MP109
    optimizer.update(policy, grads)
    mx.eval(loss, policy.parameters(), optimizer.state)
print(loss.item())
