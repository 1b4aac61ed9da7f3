"""Train with a branch whose strength a schedule holds at zero for the first half of the steps."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(0)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.branch, self.head = nn.Linear(8, 32), nn.Linear(4, 32), nn.Linear(32, 1)

    def __call__(self, inputs, beside, strength):
        return self.head(nn.relu(self.body(inputs) + strength * self.branch(beside)))


def loss(model, inputs, beside, strength, targets):
    return ((model(inputs, beside, strength) - targets) ** 2).mean()


model, optimizer = Network(), optim.Adam(3e-3)
slopes = mx.random.normal((8, 1))
for number in range(300):
    inputs, beside = mx.random.normal((64, 8)), mx.random.normal((64, 4))
    strength = mx.array(0.0 if number < 150 else 1.0)
    targets = inputs @ slopes + strength * beside[:, :1]
    value, gradients = nn.value_and_grad(model, loss)(model, inputs, beside, strength, targets)
    optimizer.update(model, gradients)
    mx.eval(value, model.parameters(), optimizer.state)
    print(value.item())
