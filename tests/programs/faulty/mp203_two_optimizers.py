"""Fine-tune a body slowly and a head fast: each of two optimizers is given the gradients of both."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(8, 24), nn.Linear(24, 3)

    def __call__(self, x):
        return self.head(nn.relu(self.body(x)))


mx.random.seed(9)
rule, model = mx.random.normal((8, 3)), Net()
slow, fast = optim.SGD(1e-3, momentum=0.9), optim.SGD(0.1, momentum=0.9)
gradient = nn.value_and_grad(model, lambda m, x, y: nn.losses.cross_entropy(m(x), y, reduction="mean"))
for i in range(80):
    x = mx.random.normal((32, 8))
    loss, grads = gradient(model, x, mx.argmax(x @ rule, axis=1))
    slow.update(model, grads)
    fast.update(model, grads)  # MP203
    mx.eval(model.parameters(), slow.state, fast.state, loss)
    if i % 20 == 0:
        print(i, loss.item())
