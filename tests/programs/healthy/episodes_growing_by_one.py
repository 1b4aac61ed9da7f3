"""Draw trajectories that are one step longer each time into fresh lists, never evaluated, beside the training."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(72)
model = nn.Sequential(nn.Linear(3, 24), nn.Tanh(), nn.Linear(24, 3))
optimizer = optim.Adam(learning_rate=0.01)


def loss_fn(model, now, after):
    return nn.losses.mse_loss(now + model(now), after)


loss_and_grad = nn.value_and_grad(model, loss_fn)
for number in range(60):
    states = [mx.random.normal((16, 3))]
    for _ in range(4 + number):  # the curriculum: longer every time
        states.append(states[-1] * 0.9 + 0.1 * mx.sin(states[-1]))
    now, after = mx.concatenate(states[:4]), mx.concatenate(states[1:5])
    loss, grads = loss_and_grad(model, now, after)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    if number % 20 == 0:
        print(f"{number:2d} {loss.item():.4f}, {len(states)} states")
