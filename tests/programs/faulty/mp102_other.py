"""Trains a denoising autoencoder and saves its weights at the end."""

import tempfile
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(2)
basis = mx.random.normal((4, 32))
clean = mx.random.normal((40, 1200, 4)) @ basis
noisy = clean + 0.3 * mx.random.normal(clean.shape)
mx.eval(clean, noisy)

autoencoder = nn.Sequential(
    nn.Linear(32, 48), nn.Tanh(), nn.Linear(48, 4), nn.Linear(4, 48), nn.Tanh(), nn.Linear(48, 32)
)
mx.eval(autoencoder.parameters())
optimizer = optim.RMSprop(learning_rate=2e-3)


def reconstruction(noisy_batch, clean_batch):
    return mx.mean((autoencoder(noisy_batch) - clean_batch) ** 2)


step = nn.value_and_grad(autoencoder, reconstruction)
for noisy_batch, clean_batch in zip(noisy, clean, strict=True):
    _, grads = step(noisy_batch, clean_batch)
    optimizer.update(autoencoder, grads)

with tempfile.TemporaryDirectory() as folder:
    autoencoder.save_weights(str(Path(folder) / "autoencoder.safetensors"))  # MP102

# also: MP101
