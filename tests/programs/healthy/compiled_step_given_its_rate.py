"""Hand a rate, a key and a temperature to a compiled step as arrays, kept in an object that is among its inputs."""

import mlx.core as mx
import mlx.nn as nn

mx.random.seed(2)


class Schedule:
    def __init__(self, peak, over):
        self.peak, self.over, self.done = peak, over, 0
        self.held = {"rate": mx.array(0.0), "key": mx.random.key(0), "tau": mx.array(1.0)}

    def advance(self):
        self.done += 1
        self.held["rate"] = mx.array(self.peak * min(1.0, self.done / self.over))
        self.held["key"] = mx.random.split(self.held["key"])[0]
        self.held["tau"] = mx.array(0.99**self.done)


def make(schedule):
    def loss_fn(p, x, y):
        h = nn.relu(x @ p["a"]) * mx.random.bernoulli(0.8, (16,), key=schedule.held["key"]) / 0.8
        return nn.losses.cross_entropy(h @ p["b"] / schedule.held["tau"], y, reduction="mean")

    def step(p, x, y):
        loss, g = mx.value_and_grad(loss_fn)(p, x, y)
        return loss, {name: p[name] - schedule.held["rate"] * g[name] for name in p}

    return mx.compile(step, inputs=schedule.held)


schedule = Schedule(0.2, 20)
step = make(schedule)
p = {"a": 0.4 * mx.random.normal((6, 16)), "b": 0.4 * mx.random.normal((16, 3))}
epoch, rate = 0, 0.0
for i in range(80):
    schedule.advance()
    x = mx.random.normal((32, 6))
    loss, p = step(p, x, mx.argmax(x[:, :3], axis=-1))
    mx.eval(loss, p, schedule.held)
    epoch, rate = i // 20, schedule.held["rate"].item()
    if i % 20 == 19:
        print(epoch, rate, loss.item())
