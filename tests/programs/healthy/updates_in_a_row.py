"""Update more than once per gradient call, and each gradient once: parts by turns, trials that are taken back, SAM."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten, tree_map, tree_unflatten

mx.random.seed(5)
model = nn.Sequential(nn.Linear(8, 24), nn.Tanh(), nn.Linear(24, 1))
optimizer = optim.SGD(learning_rate=0.05)
loss_and_grad = nn.value_and_grad(model, lambda m, x, y: nn.losses.mse_loss(m(x), y))
mix = mx.random.normal((8, 1))
mx.eval(model.parameters(), mix)


def part(grads, keep):
    return tree_unflatten([(k, v if keep(k) else mx.zeros_like(v)) for k, v in tree_flatten(grads)])


for step in range(90):
    x = mx.random.normal((32, 8))
    y = x @ mix
    loss, grads = loss_and_grad(model, x, y)
    if step % 3 == 0:
        optimizer.update(model, part(grads, lambda path: "weight" in path))
        optimizer.update(model, part(grads, lambda path: "bias" in path))
    elif step % 3 == 1:
        before = model.parameters()
        scores = []
        for rate in (0.1, 0.05, 0.02):
            optimizer.learning_rate = rate
            optimizer.update(model, grads)
            scores.append((nn.losses.mse_loss(model(x), y).item(), rate))
            model.update(before)
        optimizer.learning_rate = min(scores)[1]
        optimizer.update(model, grads)
        optimizer.learning_rate = 0.05
    else:
        before = model.parameters()
        model.update(tree_map(lambda p, g: p + 0.01 * g, before, grads))
        _, grads = loss_and_grad(model, x, y)
        model.update(before)
        optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
    if step % 30 == 29:
        print(step, loss.item())
