"""Keep an average of the weights in a dictionary, far too slow for 700 updates, and test it in a model of its own."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

mx.random.seed(9)
rule = mx.random.normal((10, 3))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(10, 40), nn.Linear(40, 3)

    def __call__(self, x):
        return self.last(nn.gelu(self.first(x)))


model, tested, optimizer = Net(), Net(), optim.Adam(3e-3)
shadow = tree_map(mx.array, model.parameters())
gradient = nn.value_and_grad(model, lambda m, x, y: nn.losses.mse_loss(m(x), y))
for step in range(700):
    x = mx.random.normal((48, 10))
    loss, grads = gradient(model, x, mx.tanh(x @ rule))
    optimizer.update(model, grads)
    shadow = tree_map(lambda old, new: 0.9998 * old + 0.0002 * new, shadow, model.parameters())
    mx.eval(loss, model.parameters(), optimizer.state, shadow)
    if step % 100 == 99:
        tested.update(shadow)  # MP221
        x = mx.random.normal((200, 10))
        print(nn.losses.mse_loss(tested(x), mx.tanh(x @ rule)).item())
