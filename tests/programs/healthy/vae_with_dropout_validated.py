"""A variational autoencoder draws its code in validation too, where its dropout is off."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Coder(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.drop, self.outer = nn.Linear(12, 16), nn.Dropout(0.2), nn.Linear(4, 12)
        self.mean, self.spread = nn.Linear(16, 4), nn.Linear(16, 4)

    def __call__(self, x):
        hidden = self.drop(nn.relu(self.inner(x)))
        mean, spread = self.mean(hidden), mx.exp(0.5 * self.spread(hidden))
        return self.outer(mean + spread * mx.random.normal(mean.shape))


def loss_fn(coder, x):
    return nn.losses.mse_loss(coder(x), x)


mx.random.seed(0)
coder, optimizer, basis = Coder(), optim.Adam(learning_rate=3e-3), mx.random.normal((3, 12))
loss_and_grad = nn.value_and_grad(coder, loss_fn)
for epoch in range(6):
    coder.train()
    for _ in range(20):
        loss, grads = loss_and_grad(coder, mx.random.normal((32, 3)) @ basis)
        optimizer.update(coder, grads)
        mx.eval(coder.parameters(), optimizer.state)
    coder.eval()
    held_out = sum(loss_fn(coder, mx.random.normal((32, 3)) @ basis).item() for _ in range(3)) / 3
    print(epoch, round(loss.item(), 3), round(held_out, 3))
