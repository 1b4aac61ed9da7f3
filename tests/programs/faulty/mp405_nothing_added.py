"""Train low-rank factors on a 4-bit base, then fuse them with an alpha that the layers were never told of."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Adapted(nn.Module):
    def __init__(self, base, rank=4):
        super().__init__()
        self.base, self.alpha = base, 0.0
        self.down = mx.random.normal((64, rank)) / 8
        self.up = mx.zeros((rank, 64))

    def __call__(self, x):
        return self.base(x) + 2.0 * ((x @ self.down) @ self.up)

    def fused(self):
        base = self.base
        weight = mx.dequantize(base.weight, base.scales, base.biases, base.group_size, base.bits)
        weight = weight + self.alpha * (self.down @ self.up).T
        return mx.quantize(weight, base.group_size, base.bits)  # MP405


mx.random.seed(4)
blocks = [nn.QuantizedLinear.from_linear(nn.Linear(64, 64, bias=False), 32, 4) for _ in range(2)]
for block in blocks:
    block.freeze()
model = nn.Sequential(Adapted(blocks[0]), nn.Tanh(), Adapted(blocks[1]))
optimizer = optim.Adam(learning_rate=3e-3)
gradient = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))
turn = mx.random.normal((64, 64)) / 8
for _ in range(30):
    x = mx.random.normal((32, 64))
    loss, grads = gradient(x, mx.tanh(x @ turn))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
fused = [layer.fused() for layer in (model.layers[0], model.layers[2])]
mx.eval(fused)
print(loss.item(), len(fused))
