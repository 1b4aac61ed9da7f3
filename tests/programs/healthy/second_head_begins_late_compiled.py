# Of two heads in one compiled model the second begins after two thirds of the run.
from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(12, 48)
        self.first = nn.Linear(48, 3)
        self.second = nn.Linear(48, 1)

    def __call__(self, x):
        h = nn.relu(self.body(x))
        return self.first(h), self.second(h)[:, 0]


mx.random.seed(3)
model = TwoHeads()
optimizer = optim.Adam(learning_rate=3e-3)
state = [model.state, optimizer.state]
points = mx.random.normal((2048, 12))
kinds = mx.argmax(points[:, :3], axis=1)
heights = points[:, 3] - points[:, 4]


def loss_fn(model, x, kind, height, share):
    logits, guess = model(x)
    return nn.losses.cross_entropy(logits, kind, reduction="mean") + share * nn.losses.mse_loss(guess, height)


value_and_grad = nn.value_and_grad(model, loss_fn)


@partial(mx.compile, inputs=state, outputs=state)
def step(x, kind, height, share):
    loss, grads = value_and_grad(model, x, kind, height, share)
    optimizer.update(model, grads)
    return loss


for number in range(180):
    chosen = mx.random.randint(0, 2048, (64,))
    share = mx.array(0.0 if number < 120 else 1.0)
    loss = step(points[chosen], kinds[chosen], heights[chosen], share)
    mx.eval(state, loss)
print(loss.item())
