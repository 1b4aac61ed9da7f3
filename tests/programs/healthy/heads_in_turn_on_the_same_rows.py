"""Train three heads on the same rows, each with labels, an optimizer and an update of its own."""
# no note: MP309, MP316, MP318, MP320

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(5)
INPUTS = mx.random.normal((600, 12))
LABELS = [(INPUTS @ mx.random.normal((12, 4))).argmax(axis=1) for _ in range(3)]
mx.eval(LABELS)


class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(12, 64)
        self.heads = [nn.Linear(64, 4) for _ in range(3)]

    def __call__(self, inputs, task):
        return self.heads[task](nn.relu(self.body(inputs)))


def loss_of(task):
    return lambda model, inputs, labels: nn.losses.cross_entropy(model(inputs, task), labels, reduction="mean")


model = Heads()
tasks = [(nn.value_and_grad(model, loss_of(task)), optim.Adam(2e-3), labels) for task, labels in enumerate(LABELS)]
for _ in range(12):
    order = mx.random.permutation(600)
    for start in range(0, 600, 60):
        rows = order[start : start + 60]
        inputs = INPUTS[rows]
        for gradient, optimizer, labels in tasks:
            value, gradients = gradient(model, inputs, labels[rows])
            optimizer.update(model, gradients)
            mx.eval(value, model.parameters(), optimizer.state)
            print(value.item())
