"""Four networks, trained in turns by a new optimizer each time; the best one's weights are handed on."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(82)
rule = mx.random.normal((8,), key=mx.random.key(5))
members = [[nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 1)), rate] for rate in (3e-3, 1e-2, 2e-2, 3e-2)]


def loss_fn(net, x):
    return nn.losses.mse_loss(net(x)[:, 0], mx.abs(x @ rule))


for turn in range(6):
    scores = []
    for net, rate in members:
        optimizer, gradient = optim.Adam(learning_rate=rate), nn.value_and_grad(net, loss_fn)
        for _ in range(20):
            loss, grads = gradient(net, mx.random.normal((32, 8)))
            optimizer.update(net, grads)
            mx.eval(loss, net.parameters(), optimizer.state)
        scores.append(loss_fn(net, mx.random.normal((128, 8))).item())
    best, worst = scores.index(min(scores)), scores.index(max(scores))
    members[worst][0].update(members[best][0].parameters())
    print(turn, min(scores))
