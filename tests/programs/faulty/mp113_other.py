"""Train a convolution on recordings of any length, one at a time: their buffers are kept and never fit again."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.set_cache_limit(4_000_000_000)  # as on a GPU
key = mx.random.key(3)
COUNT, CHANNELS = 96, 24


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv1d(1, CHANNELS, 5, padding=2)
        self.second = nn.Conv1d(CHANNELS, 1, 5, padding=2)

    def __call__(self, sound):
        return self.second(nn.relu(self.first(sound)))


def denoise(model, noisy, clean):
    return mx.square(model(noisy) - clean).mean()


model, optimizer = Denoiser(), optim.Adam(1e-3)
mx.eval(model.parameters())
lengths = (2_000 + (mx.arange(COUNT) * 7_919) % 9_013).tolist()
for length in lengths:
    key, one = mx.random.split(key)
    clean = mx.sin(mx.arange(length) / 40.0)[None, :, None]
    noisy = clean + 0.3 * mx.random.normal(clean.shape, key=one)
    loss, grads = nn.value_and_grad(model, denoise)(model, noisy, clean)  # MP113
    optimizer.update(model, grads)
    mx.eval(model, optimizer.state, loss, key)
print(f"{loss.item():.4f}")
