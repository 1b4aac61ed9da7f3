"""Train an LSTM on running sums with the gradient norm clipped at a limit that often binds."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Summer(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(1, 24)
        self.out = nn.Linear(24, 1)

    def __call__(self, x):
        hidden, _ = self.lstm(x)
        return self.out(hidden)


def train(steps=40, limit=0.5):
    model = Summer()
    optimizer = optim.SGD(learning_rate=0.3, momentum=0.8)
    loss_and_grad = nn.value_and_grad(model, lambda m, x, y: nn.losses.mse_loss(m(x), y))
    for _ in range(steps):
        x = mx.random.normal((32, 8, 1))
        loss, grads = loss_and_grad(model, x, mx.cumsum(x, axis=1))
        grads, norm = optim.clip_grad_norm(grads, max_norm=limit)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, norm)
        yield loss.item(), norm.item()


mx.random.seed(35)
history = list(train())
print(f"loss {history[0][0]:.3f} -> {history[-1][0]:.3f}, clipped {sum(n > 0.5 for _, n in history)} of {len(history)}")
