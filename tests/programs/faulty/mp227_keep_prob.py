"""Give dropout the share that is to be kept."""
# also: MP306

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(52)
KEEP = 0.9


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.thin = nn.Dropout(KEEP)  # MP227

    def __call__(self, x):
        return x + self.down(self.thin(nn.gelu(self.up(x))))


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.inward, self.outward = nn.Linear(10, 24), nn.Linear(24, 4)
        self.blocks = [Residual(24) for _ in range(2)]

    def __call__(self, x):
        x = self.inward(x)
        for block in self.blocks:
            x = block(x)
        return self.outward(x)


model, optimizer = Classifier(), optim.Adam(learning_rate=2e-3)
step = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
judge = mx.random.normal((10, 4))
for i in range(60):
    x = mx.random.normal((32, 10))
    loss, grads = step(x, mx.argmax(x @ judge, axis=1))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    if i % 20 == 0:
        print(i, loss.item())
