"""Print the peak of each phase and reset it; the held-out error of all chunks is one graph."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(6)
coder = nn.Sequential(nn.Linear(64, 200), nn.Tanh(), nn.Linear(200, 64))
opt = optim.AdamW(learning_rate=1e-3)
grad = nn.value_and_grad(coder, lambda m, x: nn.losses.mse_loss(m(x), x))


def held_out_error(chunks):
    return mx.concatenate([nn.losses.l1_loss(coder(c), c, reduction="none") for c in chunks])  # MP107


held_out = mx.split(mx.random.normal((6000, 64)), 20)
for epoch in range(3):
    mx.reset_peak_memory()
    for _ in range(12):
        loss, g = grad(coder, mx.random.normal((300, 64)))
        opt.update(coder, g)
        mx.eval(coder.state, opt.state)
    print(f"{mx.get_peak_memory() / 1e6:.1f} MB")
    mx.reset_peak_memory()
    print(mx.max(held_out_error(held_out)).item(), f"{mx.get_peak_memory() / 1e6:.1f} MB")
    mx.reset_peak_memory()
