"""Train a siamese scorer in which one tower is stored under two attribute names."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.left = nn.Linear(8, 16)
        self.right = self.left
        self.scale = mx.array(1.0)

    def __call__(self, a, b):
        u, v = mx.tanh(self.left(a)), mx.tanh(self.right(b))
        return self.scale * mx.mean(u * v, axis=-1)


def loss_fn(model, a, b, same):
    return nn.losses.binary_cross_entropy(model(a, b), same, with_logits=True)


mx.random.seed(11)
pattern = mx.random.normal((5, 8))
model = Siamese()
optimizer = optim.SGD(learning_rate=0.3, momentum=0.9)
loss_and_grad = nn.value_and_grad(model, loss_fn)

losses = []
for _ in range(40):
    first, second = mx.random.randint(0, 5, (64,)), mx.random.randint(0, 5, (64,))
    second = mx.where(mx.random.uniform(shape=(64,)) < 0.5, first, second)
    a = pattern[first] + 0.1 * mx.random.normal((64, 8))
    b = pattern[second] + 0.1 * mx.random.normal((64, 8))
    loss, grads = loss_and_grad(model, a, b, (first == second).astype(mx.float32))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    losses.append(loss.item())
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
