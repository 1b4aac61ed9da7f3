"""Train trees with matrices of small common rank that are no adapters: in a row, as a gate, beside a fixed base."""

import mlx.core as mx
from mlx.utils import tree_map

WIDTH, RANK = 24, 4


def factored(tree, x):
    return mx.tanh((x @ tree["down"]) @ tree["up"]) @ tree["full"]


def gated(tree, x):
    return (x @ tree["full"]) * mx.sigmoid((x @ tree["down"]) @ tree["up"])


def around(tree, x):
    return x @ tree["full"] + mx.tanh(x @ tree["down"]) @ tree["up"]


def beside(tree, x):
    return x @ mx.stop_gradient(tree["full"]) + (x @ tree["down"]) @ tree["up"]


def fit(forward):
    tree = {
        "full": mx.random.normal((WIDTH, WIDTH)) * 0.2,
        "down": mx.random.normal((WIDTH, RANK)) * 0.2,
        "up": mx.zeros((RANK, WIDTH)) + (0.1 if forward is factored else 0.0),
    }
    trained = {name: one for name, one in tree.items() if forward is not beside or name != "full"}
    slopes = mx.value_and_grad(lambda some, x, y: mx.mean(mx.square(forward({**tree, **some}, x) - y)))
    losses = []
    for _ in range(30):
        loss, grads = slopes(trained, x, y)
        trained = tree_map(lambda one, slope: one - 0.5 * slope, trained, grads)
        mx.eval(trained)
        losses.append(loss.item())
    print(f"{forward.__name__}: {losses[0]:.3f} -> {losses[-1]:.3f}")


mx.random.seed(73)
x = mx.random.normal((64, WIDTH))
y = mx.sin(x @ mx.random.normal((WIDTH, WIDTH)) * 0.2)
for forward in (factored, gated, around, beside):
    fit(forward)
