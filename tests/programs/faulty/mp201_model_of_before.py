"""Three folds, each with a new model; the gradient is still taken of the first one."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

FOLDS = 3


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(6, 24), nn.Linear(24, 3)

    def __call__(self, x):
        return self.two(nn.relu(self.one(x)))


class Folds:
    def __init__(self, x, y):
        self.x, self.y = x, y
        self.model = Net()
        self.gradient = nn.value_and_grad(self.model, self.loss)  # MP201

    def loss(self, x, y):
        return nn.losses.cross_entropy(self.model(x), y, reduction="mean")

    def fit(self, held, updates=40):
        self.model, optimizer = Net(), optim.Adam(learning_rate=3e-3)
        rest = mx.array([k for k in range(len(self.y)) if k % FOLDS != held])
        for _ in range(updates):
            rows = rest[mx.random.randint(0, len(rest), (32,))]
            loss, grads = self.gradient(self.x[rows], self.y[rows])
            optimizer.update(self.model, grads)
            mx.eval(self.model.parameters(), optimizer.state, loss)
        return loss.item()


mx.random.seed(12)
x = mx.random.normal((300, 6))
folds = Folds(x, mx.argmax(x[:, :3] * x[:, 3:], axis=1))
print([folds.fit(held) for held in range(FOLDS)])
# also: MP205, MP306, MP402
