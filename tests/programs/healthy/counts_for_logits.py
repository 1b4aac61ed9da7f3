# Logits of which many are zero and none is below, for they are scaled counts; beside them a bias is learnt.
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Votes(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = mx.ones((6,))
        self.bias = mx.zeros((6,))

    def __call__(self, counts):
        return counts * self.weight + self.bias


mx.random.seed(7)
model = Votes()
optimizer = optim.Adam(learning_rate=1e-2)
labels = mx.random.randint(0, 6, (512,))
counts = mx.random.randint(0, 2, (512, 6)) + 2 * (mx.arange(6)[None] == labels[:, None])


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, label_smoothing=0.1, reduction="mean")


value_and_grad = nn.value_and_grad(model, loss_fn)
for step in range(60):
    rows = mx.random.randint(0, 512, (64,))
    loss, grads = value_and_grad(model, counts[rows].astype(mx.float32), labels[rows])
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
print(loss.item())
