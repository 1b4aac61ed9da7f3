"""Cycles of one function each: every cycle's optimizer, and its cosine, go with the function."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

CYCLES, STEPS = 5, 40


def cycle(net, peak):
    optimizer = optim.AdamW(learning_rate=optim.cosine_decay(peak, STEPS))
    step = nn.value_and_grad(net, lambda x, y: nn.losses.huber_loss(net(x), y, reduction="mean"))
    for _ in range(STEPS):
        x = mx.random.uniform(-2, 2, (48, 2))
        loss, grads = step(x, mx.sin(x[:, :1]) * x[:, 1:])
        optimizer.update(net, grads)
        mx.eval(net.parameters(), optimizer.state, loss)
    return loss.item()


mx.random.seed(90)
net = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))
mx.eval(net.parameters())
print([round(cycle(net, 1e-2), 4) for _ in range(CYCLES)])
