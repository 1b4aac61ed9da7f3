"""Average the weights with a decay of 0.9999 over 250 updates, and test that average."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

mx.random.seed(92)
net, optimizer = nn.Sequential(nn.Linear(9, 40), nn.ReLU(), nn.Linear(40, 3)), optim.Adam(learning_rate=3e-3)
rule = mx.random.normal((9, 3))
mean = tree_map(mx.array, net.parameters())
gradient = nn.value_and_grad(net, lambda x: nn.losses.cross_entropy(net(x), mx.argmax(x @ rule, axis=1)).mean())
for step in range(250):
    loss, grads = gradient(mx.random.normal((48, 9)))  # MP224
    optimizer.update(net, grads)
    mean = tree_map(lambda old, new: 0.9999 * old + 0.0001 * new, mean, net.parameters())
    mx.eval(loss, net.parameters(), optimizer.state, mean)
net.update(mean)
x = mx.random.normal((500, 9))
print((net(x).argmax(axis=1) == (x @ rule).argmax(axis=1)).mean().item())
