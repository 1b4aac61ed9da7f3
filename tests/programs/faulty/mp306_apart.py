"""Draw rows for the inputs and other rows for the labels: nothing is left to learn but how often each label comes."""
# also: MP317

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(9)
points = mx.random.normal((900, 5))
labels = mx.argmax(points[:, :4], axis=1)
model = nn.Sequential(nn.Linear(5, 24), nn.ReLU(), nn.Linear(24, 4))
optimizer = optim.Adam(learning_rate=1e-3)
loss_and_grad = nn.value_and_grad(model, lambda m, x, y: nn.losses.cross_entropy(m(x), y, reduction="mean"))
for step in range(200):
    x, y = points[mx.random.randint(0, 900, (256,))], labels[mx.random.randint(0, 900, (256,))]
    loss, grads = loss_and_grad(model, x, y)  # MP306
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    value = loss.item()
    if step % 40 == 39:
        print(step, value)
