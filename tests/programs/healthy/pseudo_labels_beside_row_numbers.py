"""Learn from a few labels and from the model's own likeliest class; the rows' numbers are given, and not needed.

The tags of the text that carries loss are several; those that are left out are one.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(4)
centres = 2 * mx.random.normal((4, 8))
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = optim.Adam(learning_rate=3e-3)


def loss_fn(x, y, unlabelled, numbers):
    weak = mx.stop_gradient(mx.softmax(model(unlabelled), axis=-1))
    strong = nn.log_softmax(model(unlabelled + 0.3 * mx.random.normal(unlabelled.shape)))
    sure = (weak.max(axis=-1) > 0.8).astype(mx.float32)
    own = -mx.take_along_axis(strong, weak.argmax(axis=-1, keepdims=True), axis=-1)[:, 0]
    return nn.losses.cross_entropy(model(x), y, reduction="mean") + (own * sure).mean()


gradient = nn.value_and_grad(model, loss_fn)
for step in range(150):
    y = mx.random.randint(0, 4, (16,))
    x = centres[y] + mx.random.normal((16, 8))
    numbers = mx.random.randint(0, 10_000, (64,))
    unlabelled = centres[numbers % 4] + mx.random.normal((64, 8))
    loss, grads = gradient(x, y, unlabelled, numbers)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    if step % 30 == 0:
        print(step, loss.item())
