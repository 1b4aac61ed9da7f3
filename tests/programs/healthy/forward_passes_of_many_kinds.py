"""Step through an environment, draw several samples of dropout, and predict batch by batch: all of it evaluated."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(61)
model = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 3))
optimizer = optim.Adam(learning_rate=3e-3)
rule = mx.random.normal((8, 3))
gradient = nn.value_and_grad(model, lambda x: nn.losses.cross_entropy(model(x), (x @ rule).argmax(axis=1)).mean())


def rollout():
    place, total = mx.zeros((1, 8)), 0.0
    for _ in range(20):
        action = mx.argmax(model(place), axis=1)
        place = 0.9 * place + mx.random.normal((1, 8)) + action[:, None]
        total += place.sum().item()
    return total


for step in range(40):
    loss, grads = gradient(mx.random.normal((64, 8)))
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    if step % 10 == 9:
        x = mx.random.normal((16, 8))
        spread = mx.stack([model(x) for _ in range(12)]).std(axis=0).mean().item()
        model.eval()
        parts = []
        for k in range(10):
            parts.append(model(mx.random.normal((64, 8))))
            mx.eval(parts[-1])
        print(step, loss.item(), rollout(), spread, mx.concatenate(parts).argmax(axis=1).sum().item())
        model.train()
