"""Fine-tune the main head of a two-headed model; the auxiliary head is not called and is frozen on purpose."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(5, 32)
        self.main = nn.Linear(32, 1)
        self.auxiliary = nn.Linear(32, 7)

    def __call__(self, x, auxiliary=False):
        h = nn.silu(self.trunk(x))
        return (self.main(h), self.auxiliary(h)) if auxiliary else self.main(h)


mx.random.seed(71)
x = mx.random.normal((160, 5))
y = mx.abs(x[:, :1]) - x[:, 1:2]
model = TwoHeads()
model.auxiliary.freeze()
trained = sum(p.size for _, p in tree_flatten(model.trainable_parameters()))
optimizer = optim.Adamax(learning_rate=0.03)
loss_and_grad = nn.value_and_grad(model, lambda m, x, y: nn.losses.mse_loss(m(x), y))
losses = []
for _ in range(40):
    loss, grads = loss_and_grad(model, x, y)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    losses.append(loss.item())
print(f"{trained} trained values, loss {losses[0]:.3f} -> {losses[-1]:.3f}")
