"""Train through a rounding in a compiled step, of which nothing but the loss is evaluated."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Codes(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = nn.Linear(12, 8)
        self.decode = nn.Linear(8, 12)

    def __call__(self, x):
        code = mx.round(nn.sigmoid(self.encode(x)) * 15).astype(mx.int32)  # MP201
        return self.decode(code.astype(mx.float32) / 15)


mx.random.seed(0)
model, opt = Codes(), optim.AdamW(learning_rate=3e-3)
mx.eval(model.parameters())
state = [model, opt.state]


def reconstruction(m, x):
    return ((m(x) - x) ** 2).mean()


def fit(x):
    loss, g = nn.value_and_grad(model, reconstruction)(model, x)
    opt.update(model, g)
    return loss


fit = mx.compile(fit, inputs=state, outputs=state)
total = 0
for i in range(24):
    total += fit(mx.random.uniform(shape=(40, 12))).item()
print(total / 24)
