# Batches of a metric learner: four of twelve classes at a time, eight rows of each, one class after the other.
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

CLASSES, AT_ONCE, EACH = 12, 4, 8
mx.random.seed(9)
centres = mx.random.normal((CLASSES, 10))
model = nn.Sequential(nn.Linear(10, 48), nn.ReLU(), nn.Linear(48, CLASSES))
optimizer = optim.Adam(learning_rate=3e-3)


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


value_and_grad = nn.value_and_grad(model, loss_fn)
for step in range(80):
    chosen = mx.random.permutation(CLASSES)[:AT_ONCE]
    labels = mx.repeat(chosen, EACH)
    rows = centres[labels] + 0.4 * mx.random.normal((AT_ONCE * EACH, 10))
    loss, grads = value_and_grad(model, rows, labels)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
print(loss.item())
