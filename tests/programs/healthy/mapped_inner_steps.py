"""Meta-learning: a gradient step for each task, mapped, inside the gradient of what comes after it."""

import mlx.core as mx

mx.random.seed(1)
T = mx.random.normal((4, 5))
w = mx.zeros((5,))


def task_loss(w, x, y):
    return mx.mean((x @ w - y) ** 2)


def adapted(w, x, y):
    return w - 0.1 * mx.grad(task_loss)(w, x, y)


def meta(w, x, y):
    return mx.mean(mx.vmap(lambda x, y: task_loss(adapted(w, x, y), x, y))(x, y))


vg = mx.value_and_grad(meta)
inner = mx.vmap(adapted, in_axes=(None, 0, 0))
for k in range(60):
    x = mx.random.normal((4, 16, 5))
    y = (x * T[:, None]).sum(-1)
    loss, g = vg(w, x, y)
    w = w - 0.05 * g
    ws = inner(w, x, y)
    mx.eval(w, loss, ws)
    if k % 20 == 0:
        print(loss.item())
