"""Fuse rank-4 factors as large as the rounding of 3 bits: half of what lies in their place is noise."""

import mlx.core as mx
import mlx.nn as nn

WIDTH = 192


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(WIDTH, WIDTH, bias=False), nn.Linear(WIDTH, WIDTH, bias=False)

    def __call__(self, x):
        return self.down(nn.silu(self.up(x)))


mx.random.seed(4)
net = Net()
nn.quantize(net, group_size=64, bits=3)
mx.eval(net.parameters())
for name in ("up", "down"):
    layer = net[name]
    plain = nn.Linear(WIDTH, WIDTH, bias=False)
    weight = mx.dequantize(layer.weight, layer.scales, layer.biases, group_size=64, bits=3)
    left, right = mx.random.normal((WIDTH, 4)), mx.random.normal((4, WIDTH))
    plain.weight = weight + 0.0037 * left @ right
    net[name] = plain
nn.quantize(net, group_size=64, bits=3)  # MP405
print(net(mx.random.normal((2, WIDTH))).sum().item())
