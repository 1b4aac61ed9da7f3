"""Weights are to begin as He has them; what the initializer returns is left where it was made."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Deep(nn.Module):
    def __init__(self, depth):
        super().__init__()
        self.layers = [nn.Linear(12, 12) for _ in range(depth)]
        self.out = nn.Linear(12, 3)

    def __call__(self, x):
        for layer in self.layers:
            x = nn.relu(layer(x))
        return self.out(x)


def begin(model):
    begins = nn.init.he_uniform()
    for layer in model.layers:
        begins(layer.weight)  # MP219
        layer.bias = mx.zeros_like(layer.bias)


mx.random.seed(3)
model, optimizer = Deep(4), optim.Adam(learning_rate=2e-3)
begin(model)
mx.eval(model.parameters())
gradient = nn.value_and_grad(model, lambda model, x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
for _ in range(40):
    x = mx.random.normal((48, 12))
    loss, grads = gradient(model, x, mx.argmax(x[:, :3], axis=1))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item())
# also: MP306, MP341
