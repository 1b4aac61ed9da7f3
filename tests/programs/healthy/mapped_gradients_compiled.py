"""An ensemble whose gradients are mapped over its members, in one compiled function."""

import mlx.core as mx

mx.random.seed(1)
X = mx.random.normal((64, 5))
Y = X @ mx.random.normal((5,))
params = {"w": mx.zeros((4, 5)), "b": mx.zeros((4,))}  # an ensemble of four


def loss_fn(p, x, y):
    return mx.mean((x @ p["w"] + p["b"] - y) ** 2)


step = mx.compile(mx.vmap(mx.value_and_grad(loss_fn), in_axes=({"w": 0, "b": 0}, None, None)))
for k in range(60):
    i = mx.random.randint(0, 64, (16,))
    loss, g = step(params, X[i], Y[i])
    params = {n: p - 0.05 * g[n] for n, p in params.items()}
    mx.eval(params, loss)
    if k % 20 == 0:
        print(loss.tolist())
