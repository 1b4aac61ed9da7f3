"""A compiled step of plain functions for the next token: shifted convolutions, and a count of its own calls."""

from functools import partial

import mlx.core as mx
import mlx.optimizers as optim

VOCABULARY, WIDTH = 15, 16
calls = []


def shifted(x, w):
    return mx.conv1d(mx.pad(x, [(0, 0), (2, 0), (0, 0)]), w)


def loss_fn(p, ids):
    x = p["table"][ids[:, :-1]]
    for w in p["convolutions"]:
        x = x + mx.maximum(shifted(x, w), 0)
    z = x @ p["table"].T
    calls.append(ids.shape)
    return (mx.logsumexp(z, axis=-1) - mx.take_along_axis(z, ids[:, 1:, None], axis=-1)[..., 0]).mean()


def plain(p, ids):
    x = p["table"][ids[:, :-1]]
    for w in p["convolutions"]:
        x = x + mx.tanh(shifted(x, w))
    z = x @ p["table"].T
    return (mx.logsumexp(z, axis=-1) - mx.take_along_axis(z, ids[:, 1:, None], axis=-1)[..., 0]).mean()


mx.random.seed(7)
for function in (loss_fn, plain):
    p = {
        "table": 0.4 * mx.random.normal((VOCABULARY, WIDTH)),
        "convolutions": [0.2 * mx.random.normal((WIDTH, 3, WIDTH)) for _ in range(2)],
    }
    opt = optim.AdamW(learning_rate=3e-3)
    opt.init(p)
    mx.eval(p, opt.state)

    @partial(mx.compile, inputs=[opt.state], outputs=[opt.state])
    def step(p, ids, function=function, opt=opt):
        loss, grads = mx.value_and_grad(function)(p, ids)
        return loss, opt.apply_gradients(grads, p)

    for _ in range(30):
        ids = (mx.random.randint(0, VOCABULARY, (8, 1)) + 2 * mx.arange(12)) % VOCABULARY
        loss, p = step(p, ids)
        mx.eval(p, opt.state, loss)
    print(function.__name__, loss.item(), len(calls) < 10)
