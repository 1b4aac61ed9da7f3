"""Compile the gradients of one sentence at a time, as long as it is; now and then a length comes back."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

rng = np.random.default_rng(1)
mx.random.seed(1)
net = nn.Sequential(nn.Embedding(50, 12), nn.Linear(12, 3))
optimizer = optim.SGD(learning_rate=1.0)


@mx.compile
def value_and_gradients(params, words):
    def loss_of(params):
        net.update(params)
        return nn.losses.cross_entropy(net(words), words % 3, reduction="mean")

    return mx.value_and_grad(loss_of)(params)


params = net.trainable_parameters()
for number in range(64):
    words = mx.array(rng.integers(0, 50, (1, int(rng.integers(4, 100)))))
    loss, grads = value_and_gradients(params, words)  # MP502
    net.update(params)
    optimizer.update(net, grads)
    params = net.trainable_parameters()
    mx.eval(params, loss)
print(loss.item())
