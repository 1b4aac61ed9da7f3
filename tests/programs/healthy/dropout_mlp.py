"""Train an MLP with strong dropout, switched off for the final measurement."""

from itertools import pairwise

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class MLP(nn.Module):
    def __init__(self, sizes, p):
        super().__init__()
        self.layers = [nn.Linear(i, o) for i, o in pairwise(sizes)]
        self.dropout = nn.Dropout(p)

    def __call__(self, x):
        for layer in self.layers[:-1]:
            x = self.dropout(mx.tanh(layer(x)))
        return self.layers[-1](x)


mx.random.seed(32)
x = mx.random.normal((256, 10))
y = mx.argmax(mx.tanh(x @ mx.random.normal((10, 10)))[:, :3], axis=1)
model = MLP([10, 64, 64, 3], p=0.4)
optimizer = optim.AdaDelta(learning_rate=2.0)
loss_and_grad = nn.value_and_grad(model, lambda m, x, y: nn.losses.cross_entropy(m(x), y, reduction="mean"))
model.train()
losses = []
for _ in range(40):
    loss, grads = loss_and_grad(model, x, y)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    losses.append(loss.item())
model.eval()
accuracy = mx.mean(mx.argmax(model(x), axis=1) == y).item()
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}, accuracy {accuracy:.2f}")
