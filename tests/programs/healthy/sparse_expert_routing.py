"""Send each sample to the best of six experts; in small batches some experts get no sample at all."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

EXPERTS, WIDTH = 6, 8


class Mixture(nn.Module):
    def __init__(self):
        super().__init__()
        self.router = nn.Linear(WIDTH, EXPERTS)
        self.experts = [nn.Linear(WIDTH, 1) for _ in range(EXPERTS)]

    def __call__(self, x):
        gates = mx.softmax(self.router(x), axis=-1)
        chosen = mx.argmax(gates, axis=-1, keepdims=True)
        mask = mx.arange(EXPERTS) == chosen
        outputs = mx.concatenate([expert(x) for expert in self.experts], axis=-1)
        return mx.sum(mx.where(mask, gates * outputs, 0.0), axis=-1)


def loss_fn(model, x, y):
    return nn.losses.mse_loss(model(x), y)


mx.random.seed(42)
model = Mixture()
optimizer = optim.SGD(learning_rate=0.1, momentum=0.8)
loss_and_grad = nn.value_and_grad(model, loss_fn)
slope = mx.random.normal((WIDTH,))

losses, idle = [], 0
for _ in range(40):
    x = mx.random.normal((12, WIDTH))
    loss, grads = loss_and_grad(model, x, x @ slope)
    chosen = mx.argmax(model.router(x), axis=-1)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    idle += EXPERTS - len(set(chosen.tolist()))
    losses.append(loss.item())
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}, {idle / 40:.1f} experts idle a step")
