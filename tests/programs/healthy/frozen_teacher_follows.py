"""A trained model becomes the frozen teacher of its own parameters, which are trained on as a tree; it follows them."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

mx.random.seed(103)
teacher = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 3))
student = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 3))
task = mx.random.normal((6, 3))


def batch():
    x = mx.random.normal((64, 6))
    return x, mx.argmax(x @ task, axis=1)


optimizer = optim.Adam(learning_rate=0.01)
loss_and_grad = nn.value_and_grad(teacher, lambda x, y: nn.losses.cross_entropy(teacher(x), y, reduction="mean"))
for _ in range(60):
    loss, grads = loss_and_grad(*batch())
    optimizer.update(teacher, grads)
    mx.eval(loss, teacher.parameters(), optimizer.state)
print(f"trained {loss.item():.3f}")


def distil(parameters, x, y, told):
    student.update(parameters)
    logits = student(x)
    return nn.losses.cross_entropy(logits, y, reduction="mean") + ((logits - told) ** 2).mean()


teacher.freeze()
parameters = tree_map(lambda one: one + 0.0, teacher.parameters())
optimizer = optim.SGD(learning_rate=0.05)
loss_and_grad = mx.value_and_grad(distil)
for _ in range(80):
    x, y = batch()
    loss, grads = loss_and_grad(parameters, x, y, teacher(x))
    parameters = optimizer.apply_gradients(grads, parameters)
    teacher.update(tree_map(lambda old, new: 0.9 * old + 0.1 * new, teacher.parameters(), parameters))
    mx.eval(loss, parameters, teacher.parameters(), optimizer.state)
print(f"distilled {loss.item():.3f}")
