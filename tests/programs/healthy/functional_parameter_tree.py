"""Train an MLP kept as a plain tree of arrays with mx.value_and_grad and hand-written gradient descent."""

import mlx.core as mx
from mlx.utils import tree_map

RATE, DECAY = 0.1, 1e-4


def initialise(sizes):
    layers = []
    for inputs, outputs in sizes:
        layers.append({"w": mx.random.normal((inputs, outputs)) * (2 / inputs) ** 0.5, "b": mx.zeros((outputs,))})
    return {"layers": layers, "gain": mx.array(1.0)}


def forward(params, x):
    *hidden, last = params["layers"]
    for layer in hidden:
        x = mx.maximum(x @ layer["w"] + layer["b"], 0)
    return params["gain"] * (x @ last["w"] + last["b"])


def loss_fn(params, x, y):
    return mx.mean(mx.square(forward(params, x) - y))


def descend(parameter, gradient):
    return parameter - RATE * (gradient + DECAY * parameter)


mx.random.seed(64)
x = mx.random.uniform(-1, 1, (200, 3))
y = mx.max(x, axis=1, keepdims=True)
params = initialise([(3, 32), (32, 32), (32, 1)])
value_and_grad = mx.value_and_grad(loss_fn)
losses = []
for _ in range(40):
    loss, grads = value_and_grad(params, x, y)
    params = tree_map(descend, params, grads)
    mx.eval(params)
    losses.append(float(loss))
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
