"""First-order meta-learning: the model's own gradients make a copy's weights, and the copy's gradients its update.

And the gradients of each example, which are clipped one by one, beside a call that is made for its loss alone.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten, tree_map

mx.random.seed(5)
rule = mx.random.normal((6, 1))


def net():
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))


def batch():
    x = mx.random.normal((32, 6))
    return x, x @ rule


def meta():
    model, fast = net(), net()
    first = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))
    second = nn.value_and_grad(fast, lambda x, y: nn.losses.mse_loss(fast(x), y))
    optimizer = optim.Adam(learning_rate=0.01)
    for step in range(100):
        x, y = batch()
        _, gradients = first(x, y)
        fast.update(tree_map(lambda weight, slope: weight - 0.05 * slope, model.parameters(), gradients))
        loss, gradients = second(*batch())
        optimizer.update(model, gradients)
        mx.eval(model.parameters(), optimizer.state)
        if step % 20 == 0:
            print(step, loss.item())


def private():
    model = net()
    whole = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))

    def single(weights, x, y):
        model.update(weights)
        return nn.losses.mse_loss(model(x[None]), y[None])

    each = mx.vmap(mx.grad(single), in_axes=(None, 0, 0))
    optimizer = optim.SGD(learning_rate=0.1)
    for step in range(100):
        x, y = batch()
        loss, _ = whole(x, y)
        weights = model.trainable_parameters()
        slopes = each(weights, x, y)
        model.update(weights)
        norms = mx.sqrt(sum((one.reshape(32, -1) ** 2).sum(axis=1) for _, one in tree_flatten(slopes)))
        scale = mx.minimum(1, 1 / (norms + 1e-6))
        mean = tree_map(
            lambda one, s=scale: (one.reshape(32, -1) * s[:, None]).mean(axis=0).reshape(one.shape[1:]), slopes
        )
        optimizer.update(model, mean)
        mx.eval(model.parameters(), optimizer.state)
        if step % 20 == 0:
            print(step, loss.item())


meta()
private()
