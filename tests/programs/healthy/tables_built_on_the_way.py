"""Keep features of each data set once they are needed: memory rises in jumps, and nothing grows with the steps."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(74)
projection = mx.random.normal((16, 400)) * 0.2
model = nn.Sequential(nn.Linear(400, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = optim.Adam(learning_rate=0.01)
raw = [mx.random.normal((512, 16)) for _ in range(4)]
features = {}


def loss_fn(model, x, y):
    return nn.losses.mse_loss(model(x), y)


loss_and_grad = nn.value_and_grad(model, loss_fn)
for step in range(48):
    task = step // 12  # one data set after the other
    if task not in features:
        features[task] = mx.maximum(raw[task] @ projection, 0)
        mx.eval(features[task])
    rows = mx.random.randint(0, 512, (64,))
    loss, grads = loss_and_grad(model, features[task][rows], raw[task][rows, :1])
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    if step % 12 == 0:
        print(f"{step:2d} {loss.item():.3f}, {mx.get_active_memory() / 1e6:.1f} MB")
