# The base of an adapter is frozen, whose rank is larger than the number of outputs.
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Low(nn.Module):
    def __init__(self, layer, rank):
        super().__init__()
        self.layer = layer
        self.down = mx.random.normal((layer.weight.shape[1], rank)) * 0.1
        self.up = mx.zeros((rank, layer.weight.shape[0]))

    def __call__(self, x):
        return self.layer(x) + 2.0 * (x @ self.down) @ self.up


class Grader(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(16, 32)
        self.head = nn.Linear(32, 3)

    def __call__(self, x):
        return self.head(nn.relu(self.body(x)))


mx.random.seed(0)
grader = Grader()
features = mx.random.normal((256, 16))
grades = mx.argmax(features[:, :3], axis=1)
grader.body.freeze()
grader.head.freeze()
grader.head = Low(grader.head, 4)
optimizer = optim.Adam(learning_rate=1e-2)


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


value_and_grad = nn.value_and_grad(grader, loss_fn)
for _ in range(60):
    loss, grads = value_and_grad(grader, features, grades)
    optimizer.update(grader, grads)
    mx.eval(grader.parameters(), optimizer.state)
print(loss.item())
