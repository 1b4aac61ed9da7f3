"""Learn the parity of two of eight bits: there are 256 rows, so that those of the test come in training too."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def draw(count):
    bits = mx.random.bernoulli(0.5, (count, 8)).astype(mx.float32)
    return bits, (bits[:, 2] != bits[:, 5]).astype(mx.int32)


mx.random.seed(5)
test = draw(500)
mx.eval(test)
net = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 2))
optimizer = optim.Adam(learning_rate=2e-2)
gradient = nn.value_and_grad(net, lambda bits, odd: nn.losses.cross_entropy(net(bits), odd, reduction="mean"))
for _ in range(200):
    loss, grads = gradient(*draw(64))
    optimizer.update(net, grads)
    mx.eval(loss, net.parameters(), optimizer.state)
print(mx.mean(mx.argmax(net(test[0]), axis=1) == test[1]).item())
