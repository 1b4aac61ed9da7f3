"""Series of noise, time first, as another framework has them, to a GRU; each has a kind."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

LONG, ROWS = 20, 32


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.out = nn.GRU(3, 24), nn.Linear(24, 3)

    def __call__(self, x):
        states = self.gru(x)  # MP326
        return self.out(states[-1])


mx.random.seed(2)
model, optimizer = Reader(), optim.Adam(learning_rate=3e-3)
gradient = nn.value_and_grad(model, lambda model, x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
for _ in range(60):
    x = mx.random.normal((LONG, ROWS, 3))
    loss, grads = gradient(model, x, mx.argmax(mx.mean(x, axis=0), axis=1))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item())
# also: MP306
