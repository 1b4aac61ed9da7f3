"""Align two views of the same points with a symmetric contrastive loss written with logsumexp."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class TwoTowers(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(10, 8)
        self.second = nn.Linear(6, 8)
        self.log_scale = mx.array(1.5)

    def __call__(self, a, b):
        u, v = self.first(a), self.second(b)
        u = u / mx.linalg.norm(u, axis=-1, keepdims=True)
        v = v / mx.linalg.norm(v, axis=-1, keepdims=True)
        return mx.exp(self.log_scale) * (u @ v.T)


def contrastive(model, a, b):
    scores = model(a, b)
    matching = mx.diag(scores)
    rows = mx.logsumexp(scores, axis=1) - matching
    columns = mx.logsumexp(scores, axis=0) - matching
    return 0.5 * mx.mean(rows + columns)


mx.random.seed(52)
to_a, to_b = mx.random.normal((4, 10)), mx.random.normal((4, 6))
model = TwoTowers()
optimizer = optim.Adam(learning_rate=0.03)
loss_and_grad = nn.value_and_grad(model, contrastive)
losses = []
for _ in range(40):
    hidden = mx.random.normal((32, 4))
    loss, grads = loss_and_grad(model, hidden @ to_a, hidden @ to_b)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    losses.append(loss.item())
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
