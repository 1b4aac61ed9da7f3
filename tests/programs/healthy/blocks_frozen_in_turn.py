"""Block coordinate descent: one layer is frozen while the other is trained, in turn, each time with a new optimizer."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(0)


class TwoLayers(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.outer = nn.Linear(2, 16), nn.Linear(16, 1)

    def __call__(self, x):
        return self.outer(mx.tanh(self.inner(x)))


model = TwoLayers()
x = mx.random.normal((200, 2))
y = (x[:, :1] * x[:, 1:] > 0).astype(mx.float32)
for turn in range(8):
    model.unfreeze()
    (model.inner if turn % 2 else model.outer).freeze()
    optimizer = optim.Adam(learning_rate=1e-2)
    loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.binary_cross_entropy(model(x), y))
    for _ in range(15):
        loss, grads = loss_and_grad(x, y)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
    print(f"turn {turn}: {loss.item():.4f}")
