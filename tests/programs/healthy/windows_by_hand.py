"""Accumulate by hand and descend by hand: whole windows, a remainder that is applied, and momentum."""

import mlx.core as mx
from mlx.utils import tree_map

WINDOW, RATE, MOMENTUM = 4, 0.05, 0.8


def loss_fn(tree, x, y):
    return mx.mean(mx.square(mx.tanh(x @ tree["in"]) @ tree["out"] - y))


def applied(tree, total, count):
    tree = tree_map(lambda one, slope: one - RATE * slope / count, tree, total)
    mx.eval(tree)
    return tree


def with_momentum(tree, speed, total):
    speed = tree_map(lambda old, slope: MOMENTUM * old + slope / WINDOW, speed, total)
    tree = tree_map(lambda one, moves: one - RATE * moves, tree, speed)
    mx.eval(tree, speed)
    return tree, speed


def fresh():
    return {"in": 0.3 * mx.random.normal((5, 16)), "out": 0.3 * mx.random.normal((16, 1))}


mx.random.seed(72)
mix = mx.random.normal((5, 1))
slopes = mx.value_and_grad(loss_fn)
batches = [(x, mx.sin(x @ mix)) for x in (mx.random.normal((16, 5)) for _ in range(10))]

tree = fresh()
for _ in range(6):
    total, count = tree_map(mx.zeros_like, tree), 0
    for number, (x, y) in enumerate(batches, 1):
        loss, grads = slopes(tree, x, y)
        total, count = tree_map(mx.add, total, grads), count + 1
        mx.eval(loss, total)
        if count == WINDOW or number == len(batches):
            tree = applied(tree, total, count)
            total, count = tree_map(mx.zeros_like, tree), 0
    print(round(loss.item(), 4))

tree = fresh()
speed = tree_map(mx.zeros_like, tree)
for _ in range(12):
    total = tree_map(mx.zeros_like, tree)
    for x, y in batches[:WINDOW]:
        loss, grads = slopes(tree, x, y)
        total = tree_map(mx.add, total, grads)
        mx.eval(loss, total)
    tree, speed = with_momentum(tree, speed, total)
    print(round(loss.item(), 4))
