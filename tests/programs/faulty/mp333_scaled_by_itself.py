"""What the model is tried on is standardised by its own mean and deviation, not by those of the training data."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np


def standardised(rows):
    return ((rows - rows.mean(axis=0)) / rows.std(axis=0)).astype(np.float32)


draw = np.random.default_rng(9)
rates, later = draw.normal(10, 3, (1200, 6)), draw.normal(13, 2, (300, 6))
busy, busy_later = (rows[:, 0] + rows[:, 1] > 21 for rows in (rates, later))
inputs, tried = standardised(rates), mx.array(standardised(later))
mx.random.seed(9)
model, optimizer = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 2)), optim.Adam(2e-3)
step = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
for _ in range(5):
    for k in range(0, 1200, 40):
        loss, gradients = step(mx.array(inputs[k : k + 40]), mx.array(busy[k : k + 40].astype(int)))
        optimizer.update(model, gradients)
        mx.eval(loss, model.parameters(), optimizer.state)
    print(mx.mean(mx.argmax(model(tried), axis=1) == mx.array(busy_later)).item())  # MP333
