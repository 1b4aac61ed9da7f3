"""Give a loss equal arrays on purpose: an autoencoder's inputs as its targets, with a mask and a pull towards them."""
# no note: MP318

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

rng = np.random.default_rng(8)
mixing = rng.normal(size=(4, 24)).astype(np.float32)
mx.random.seed(8)
model = nn.Sequential(nn.Linear(24, 16), nn.GELU(), nn.Linear(16, 4), nn.Linear(4, 24))
optimizer = optim.Adam(learning_rate=3e-3)


def loss_fn(rows, targets):
    known = mx.abs(rows) > 0.05
    noisy = rows + 0.1 * mx.random.normal(rows.shape)
    made = model(noisy)
    change = mx.square(targets - rows).mean() + 0.01 * mx.square(made).mean()
    return (mx.square(made - targets) * known).mean() + change


gradient = nn.value_and_grad(model, loss_fn)
for step in range(150):
    rows = rng.normal(size=(64, 4)).astype(np.float32) @ mixing
    loss, grads = gradient(mx.array(rows), mx.array(rows))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
    if step % 30 == 0:
        print(step, loss.item())
