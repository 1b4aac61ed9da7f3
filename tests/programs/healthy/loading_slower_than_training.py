"""Prepare each batch with numpy on the fly, which takes longer than the training step it feeds."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np


class SpectrumDataset:
    """Noisy tones, turned into spectra batch by batch; the label is the tone's band."""

    def __init__(self, seed, bands=5):
        self.rng = np.random.default_rng(seed)
        self.bands = bands

    def batch(self, size):
        labels = self.rng.integers(0, self.bands, size)
        time = np.arange(4096) / 4096
        tone = np.sin(2 * np.pi * (20 + 40 * labels[:, None]) * time)
        noisy = tone + self.rng.normal(size=(size, 4096))
        spectrum = np.abs(np.fft.rfft(noisy, axis=1))[:, :256] / 2048
        return mx.array(spectrum.astype(np.float32)), mx.array(labels)


dataset = SpectrumDataset(28)
mx.random.seed(28)
model = nn.Linear(256, dataset.bands)
optimizer = optim.Adam(learning_rate=0.05)
loss_and_grad = nn.value_and_grad(model, lambda m, x, y: nn.losses.cross_entropy(m(x), y, reduction="mean"))
losses = []
for _ in range(30):
    x, y = dataset.batch(32)
    loss, grads = loss_and_grad(model, x, y)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    losses.append(loss.item())
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
