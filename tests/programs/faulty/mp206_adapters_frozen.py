"""Adapters are put into a regressor, which is frozen afterwards; its last bias is trained."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Adapted(nn.Module):
    def __init__(self, layer, rank):
        super().__init__()
        outputs, inputs = layer.weight.shape
        self.layer = layer
        self.down = mx.random.normal((rank, inputs)) / inputs**0.5
        self.up = mx.zeros((outputs, rank))

    def __call__(self, x):
        return self.layer(x) + x @ self.down.T @ self.up.T


mx.random.seed(41)
net = nn.Sequential(nn.Linear(12, 32), nn.GELU(), nn.Linear(32, 12), nn.LayerNorm(12))
net.layers[0] = Adapted(net.layers[0], 3)
net.layers[2] = Adapted(net.layers[2], 3)
net.freeze()  # MP206
net.layers[3].unfreeze()
optimizer = optim.Adam(learning_rate=1e-2)
gradient = nn.value_and_grad(net, lambda x: nn.losses.mse_loss(net(x), mx.roll(x, 1, axis=1)))
for step in range(60):
    loss, grads = gradient(mx.random.normal((32, 12)))
    optimizer.update(net, grads)
    mx.eval(net.parameters(), optimizer.state, loss)
print(loss.item())
