"""Hold a critic's largest singular value at one by a vector that the layer keeps and follows itself, and froze."""
# no note: MP202

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(0)


class Normed(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = 0.2 * mx.random.normal((outputs, inputs))
        self.direction = mx.random.normal((outputs,))
        self.freeze(keys=["direction"], recurse=False)

    def __call__(self, x):
        fixed = mx.stop_gradient(self.weight)
        right = fixed.T @ self.direction
        right = right / mx.linalg.norm(right)
        left = fixed @ right
        self.direction = left / mx.linalg.norm(left)
        return x @ (self.weight / (self.direction @ self.weight @ right)).T


critic = nn.Sequential(Normed(4, 32), nn.ReLU(), Normed(32, 1))
optimizer = optim.Adam(1e-2)
for number in range(60):
    x = 3 * mx.random.normal((64, 4))
    y = mx.sign(x[:, :1])
    value, gradients = nn.value_and_grad(critic, lambda critic, x, y: nn.relu(1 - y * critic(x)).mean())(critic, x, y)
    optimizer.update(critic, gradients)
    mx.eval(critic.state, optimizer.state)
    print(number, value.item())
