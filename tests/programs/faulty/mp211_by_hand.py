"""Adapt a character model that is a tree of arrays, with low-rank factors in a tree of their own, by plain descent."""

import mlx.core as mx
from mlx.utils import tree_map

WIDTH, RANK, SYMBOLS, RATE = 24, 3, 17, 0.4


def initialise():
    base = {
        "table": mx.random.normal((SYMBOLS, WIDTH)) * 0.3,
        "mix": mx.random.normal((WIDTH, WIDTH)) * 0.2,
        "out": mx.random.normal((WIDTH, SYMBOLS)) * 0.2,
    }
    extra = {"mix": factors(WIDTH, WIDTH), "out": factors(WIDTH, SYMBOLS)}
    return {"base": base, "extra": extra}


def factors(inputs, outputs):
    return {"down": mx.random.normal((inputs, RANK)) * 0.2, "up": mx.zeros((RANK, outputs))}


def layer(tree, name, x):
    pair = tree["extra"][name]
    return x @ tree["base"][name] + 2.0 * ((x @ pair["down"]) @ pair["up"])


def loss_fn(tree, symbols):
    hidden = mx.tanh(layer(tree, "mix", tree["base"]["table"][symbols[:, :-1]]))
    logits = layer(tree, "out", hidden)
    chosen = mx.take_along_axis(logits, symbols[:, 1:, None], axis=-1)[..., 0]
    return mx.mean(mx.logsumexp(logits, axis=-1) - chosen)


def adapt(tree, steps):
    slopes = mx.value_and_grad(loss_fn)
    for number in range(steps):
        start = mx.random.randint(0, SYMBOLS, (24, 1))
        loss, grads = slopes(tree, (start + 5 * mx.arange(9)) % SYMBOLS)  # MP211
        tree = tree_map(lambda one, slope: one - RATE * slope, tree, grads)
        mx.eval(tree, loss)
        if number % 10 == 0:
            print(number, loss.item())
    return tree


mx.random.seed(28)
adapt(initialise(), 50)
