"""Fine-tunes for a few steps with a warm-up as long as the run; after it the schedule divides 0 by 0."""
# also: MP210

import math
import tempfile

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

STEPS, WARMUP, PEAK = 12, 11, 5e-2


def schedule(step):
    decayed = (step - WARMUP) / mx.maximum(mx.array(STEPS - 1 - WARMUP), 0)
    return mx.where(step < WARMUP, PEAK * step / WARMUP, PEAK * 0.5 * (1 + mx.cos(math.pi * decayed)))


def train(model, folder):
    x = mx.random.normal((64, 6))
    y = x @ mx.random.normal((6, 2))
    optimizer = optim.Adam(learning_rate=schedule)
    loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))
    for step in range(STEPS):
        loss, grads = loss_and_grad(x, y)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, loss)
        print(f"step {step}: {loss.item():.4f}")
    model.save_weights(f"{folder}/adapters.safetensors")  # MP404


mx.random.seed(41)
with tempfile.TemporaryDirectory() as folder:
    train(nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 2)), folder)
