"""Classify points of three spirals with an LSTM over their coordinates and Lion, in one plain script."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(11)


class SpiralNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(1, 24)
        self.out = nn.Linear(24, 3)

    def __call__(self, points):
        hidden, _ = self.lstm(points[..., None])
        return self.out(hidden[:, -1])


def spiral_points(count):
    arm = mx.random.randint(0, 3, (count,))
    radius = mx.random.uniform(0.2, 1.0, (count,))
    angle = 2.0 * radius + arm * 2.1
    return mx.stack([radius * mx.cos(angle), radius * mx.sin(angle)], axis=-1), arm


def nll(model, points, arm):
    logits = model(points)
    normaliser = mx.log(mx.exp(logits).sum(axis=1, keepdims=True))  # MP302
    picked = mx.take_along_axis(logits - normaliser, arm[:, None], axis=1)
    return -picked.mean()


net = SpiralNet()
optimizer = optim.Lion(learning_rate=5e-3)
step_fn = nn.value_and_grad(net, nll)

losses = []
for _ in range(40):
    points, arm = spiral_points(64)
    loss, grads = step_fn(net, points, arm)
    optimizer.update(net, grads)
    mx.eval(loss, net.parameters(), optimizer.state)
    losses.append(loss.item())

print(f"nll {losses[0]:.3f} -> {losses[-1]:.3f}")
