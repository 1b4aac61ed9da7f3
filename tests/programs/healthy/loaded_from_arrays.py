"""Go on from saved weights in the usual forms: the arrays of a file, cast, renamed, quantised, put in by hand."""

import os
import tempfile
from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten, tree_map, tree_unflatten

mx.random.seed(65)
x = mx.random.normal((64, 32))
y = mx.tanh(x @ mx.random.normal((32, 4)))
mx.eval(x, y)


def built():
    return nn.Sequential(nn.Linear(32, 48), nn.Tanh(), nn.Linear(48, 4))


def mse(model, x, y):
    return nn.losses.mse_loss(model(x), y)


def descend(model, steps=6):
    optimizer = optim.Adam(learning_rate=0.01)
    loss_and_grad = nn.value_and_grad(model, mse)
    for _ in range(steps):
        loss, grads = loss_and_grad(model, x, y)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
    return loss.item()


def descend_compiled(model, steps=6):
    optimizer = optim.Adam(learning_rate=0.01)
    state = [model.state, optimizer.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def step(x, y):
        loss, grads = nn.value_and_grad(model, mse)(model, x, y)
        optimizer.update(model, grads)
        return loss

    for _ in range(steps):
        loss = step(x, y)
        mx.eval(state)
    return loss.item()


def listed(model, weights):
    model.load_weights(list(weights.items()))


def updated(model, weights):
    model.update(tree_unflatten(list(weights.items())))


def updated_and_evaluated(model, weights):
    model.update(tree_unflatten(list(weights.items())))
    mx.eval(model.parameters())


def cast(model, weights):
    model.load_weights([(name, one.astype(mx.float16)) for name, one in weights.items()])
    model.set_dtype(mx.float32)


def renamed(model, weights):
    model.load_weights([(name.removeprefix("model."), one) for name, one in weights.items()])


def assigned(model, weights):
    for k in (0, 2):
        model.layers[k].weight = weights[f"layers.{k}.weight"]
        model.layers[k].bias = weights[f"layers.{k}.bias"]


def averaged(model, weights):
    model.update(tree_map(lambda a, b: (a + b) / 2, tree_unflatten(list(weights.items())), model.parameters()))


def quantised(model, weights):
    model.load_weights(list(weights.items()))
    model.freeze()
    model.layers[0] = nn.QuantizedLinear.from_linear(model.layers[0], 32, 4)
    model.layers[2].unfreeze()


def filtered(model, weights):
    own = dict(tree_flatten(model.parameters()))
    model.load_weights([(name, one) for name, one in weights.items() if name in own], strict=False)


with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "model.safetensors")
    trained = built()
    descend(trained, steps=30)
    trained.save_weights(path)
    prefixed = os.path.join(folder, "prefixed.safetensors")
    mx.save_safetensors(prefixed, {f"model.{name}": one for name, one in tree_flatten(trained.parameters())})
    for put in (listed, updated, updated_and_evaluated, cast, renamed, assigned, averaged, quantised, filtered):
        for train in (descend, descend_compiled):
            model = built()
            put(model, mx.load(prefixed if put is renamed else path))
            print(f"{put.__name__:22s} {train.__name__:17s} {train(model):.4f}")
