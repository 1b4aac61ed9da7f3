"""Initializers whose results are kept: by name, through `apply`, in another type, by a half; and one to look at."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(8)
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1))
first, second, last = model.layers[0], model.layers[2], model.layers[4]
first.weight = nn.init.he_normal()(first.weight)
second.apply(nn.init.normal(std=0.2), filter_fn=lambda module, key, value: key == "weight")
last.weight = 0.5 * nn.init.glorot_uniform()(last.weight).astype(mx.float32)
print("would spread by", mx.std(nn.init.uniform(-1, 1)(mx.zeros((50, 50)))).item())
optimizer = optim.Adam(learning_rate=3e-3)
gradient = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x)[:, 0], y))
for _ in range(40):
    x = mx.random.normal((48, 6))
    loss, grads = gradient(x, x[:, 0] - 2 * x[:, 1])
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item())
