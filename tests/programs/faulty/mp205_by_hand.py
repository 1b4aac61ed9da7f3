"""Linear regression by hand; the parameters that the step makes are never taken over."""

import mlx.core as mx

mx.random.seed(5)
truth = mx.random.normal((6, 1))
params = {"w": mx.zeros((6, 1)), "b": mx.zeros((1,))}


def loss_fn(params, x, y):
    return mx.mean((x @ params["w"] + params["b"] - y) ** 2)


loss_and_grad = mx.value_and_grad(loss_fn)


def step(params, x):
    loss, grads = loss_and_grad(params, x, x @ truth)  # MP205
    return loss, {name: params[name] - 0.1 * grads[name] for name in params}


for number in range(40):
    loss, updated = step(params, mx.random.normal((16, 6)))
    if number % 5 == 0:
        print(number, loss.item())
    mx.eval(loss)
# also: MP306
