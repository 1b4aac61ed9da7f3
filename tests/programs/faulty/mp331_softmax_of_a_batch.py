"""A gate that mixes four experts for each row; the weights of all rows together sum to one."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(5, 4)
        self.experts = [nn.Sequential(nn.Linear(5, 12), nn.Tanh(), nn.Linear(12, 1)) for _ in range(4)]

    def __call__(self, x):
        made = mx.concatenate([one(x) for one in self.experts], axis=1)
        return mx.sum(made * mx.softmax(self.gate(x)), axis=1)  # MP331


mx.random.seed(11)
model, optimizer = Mixed(), optim.Adam(learning_rate=3e-3)
gradient = nn.value_and_grad(model, lambda x, y: mx.mean(mx.square(model(x) - y)))
for step in range(60):
    x = mx.random.normal((64, 5))
    loss, grads = gradient(x, mx.sin(2 * x[:, 0]) * x[:, 1])
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
    if step % 20 == 0:
        print(step, loss.item())
# also: MP306
