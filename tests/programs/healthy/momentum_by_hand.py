"""Update by a velocity that forgets a fifth of itself at each step."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten, tree_unflatten

mx.random.seed(3)
net = nn.Sequential(nn.Linear(9, 20), nn.ReLU(), nn.Linear(20, 4))
opt = optim.SGD(learning_rate=0.05)
mx.eval(net.parameters())


@partial(mx.compile, inputs=net.state, outputs=net.state)
def gradients(x, y):
    return nn.value_and_grad(net, lambda m, a, b: nn.losses.cross_entropy(m(a), b, reduction="mean"))(net, x, y)


for epoch in range(3):
    velocity = {}
    for batch in range(16):
        x = mx.random.normal((32, 9))
        loss, grads = gradients(x, mx.argmax(x[:, :4], axis=1))
        for path, g in tree_flatten(grads):
            velocity[path] = 0.8 * velocity.get(path, 0) + g
        opt.update(net, tree_unflatten(list(velocity.items())))
        mx.eval(net.parameters(), opt.state, velocity)
    print(epoch, loss.item())
