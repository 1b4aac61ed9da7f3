"""Trains a normalised autoencoder whose spread over the batch is part of the loss; one batch repeats one row."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(36)
encoder, decoder = nn.Linear(6, 3), nn.Linear(3, 6)
model = nn.Sequential(encoder, decoder)
optimizer = optim.AdamW(learning_rate=1e-2)


def spread(codes):
    return mx.mean(nn.relu(1.0 - mx.std(codes, axis=0)))  # MP207


def loss_fn(rows):
    codes = encoder(rows)
    return nn.losses.mse_loss(decoder(codes), rows) + 0.1 * spread(codes)


loss_and_grad = nn.value_and_grad(model, loss_fn)
for step in range(18):
    rows = mx.random.normal((10, 6))
    if step == 13:
        rows = mx.broadcast_to(rows[:1], (10, 6))
    loss, grads = loss_and_grad(rows)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
    if step % 5 == 0:
        print(step, loss.item())
