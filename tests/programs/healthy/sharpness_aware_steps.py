"""Take two gradients a step, the second at weights that the first has moved: only that one is for the update."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten, tree_map

REACH = 0.05


def loss_fn(model, x, y):
    return nn.losses.mse_loss(model(x), y)


def sharpest(model, grads):
    size = mx.sqrt(sum(mx.sum(mx.square(one)) for _, one in tree_flatten(grads)))
    return tree_map(lambda one, slope: one + REACH * slope / size, model.trainable_parameters(), grads)


mx.random.seed(71)
mix = mx.random.normal((4, 1))
x = mx.random.normal((48, 4))
y = mx.sin(x @ mix)
for by_hand in (False, True):
    model = nn.Sequential(nn.Linear(4, 24), nn.Tanh(), nn.Linear(24, 1))
    optimizer = optim.SGD(learning_rate=0.1)
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    losses = []
    for _ in range(30):
        weights = model.trainable_parameters()
        loss, grads = loss_and_grad(model, x, y)
        model.update(sharpest(model, grads))
        _, grads = loss_and_grad(model, x, y)
        model.update(weights)
        if by_hand:
            model.update(tree_map(lambda one, slope: one - 0.1 * slope, weights, grads))
        else:
            optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        losses.append(loss.item())
    print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
