"""Ask a schedule for its rate before each update and set it by hand; another one weighs a penalty."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(77)
model = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 1))
schedule = optim.cosine_decay(0.02, 60, end=0.002)
penalty = optim.linear_schedule(0.0, 1e-3, 60)
optimizer = optim.Adam(learning_rate=0.02)
x = mx.random.normal((256, 5))
y = mx.sin(x.sum(axis=1, keepdims=True))


def loss_fn(model, x, y, weight):
    size = sum(mx.sum(layer.weight**2) for layer in model.layers if "weight" in layer)
    return nn.losses.mse_loss(model(x), y) + weight * size


loss_and_grad = nn.value_and_grad(model, loss_fn)
for step in range(60):
    optimizer.learning_rate = schedule(step)
    loss, grads = loss_and_grad(model, x, y, penalty(step))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(f"loss {loss.item():.4f}, rate {optimizer.learning_rate.item():.2e}")
