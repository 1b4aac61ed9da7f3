"""Train with bfloat16 hidden layers, a float16 output layer and a float32 norm, computing the loss in float32."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 32)
        self.second = nn.Linear(32, 32)
        self.norm = nn.LayerNorm(32)
        self.out = nn.Linear(32, 3)
        self.first.set_dtype(mx.bfloat16)
        self.second.set_dtype(mx.bfloat16)
        self.out.set_dtype(mx.float16)

    def __call__(self, x):
        x = nn.relu(self.first(x.astype(mx.bfloat16)))
        x = self.norm(self.second(x).astype(mx.float32))
        return self.out(x.astype(mx.float16)).astype(mx.float32)


mx.random.seed(62)
x = mx.random.normal((256, 8))
y = mx.argmax(x[:, :3] + x[:, 3:6], axis=1)
model = Mixed()
optimizer = optim.SGD(learning_rate=0.1, momentum=0.9)
loss_and_grad = nn.value_and_grad(model, lambda m, x, y: nn.losses.cross_entropy(m(x), y, reduction="mean"))
losses = []
for step in range(40):
    rows = mx.arange(64) + 64 * (step % 4)
    loss, grads = loss_and_grad(model, x[rows], y[rows])
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    losses.append(loss.item())
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
