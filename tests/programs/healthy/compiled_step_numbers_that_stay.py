"""Compute in a compiled step with numbers that stay, beside counters that are printed, counted and kept outside."""

import time
from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Average:
    def __init__(self, params, decay):
        self.decay, self.updates, self.shadow = decay, 0, params
        self.blend = mx.compile(self.mixed)

    def mixed(self, old, new):
        return {name: self.decay * old[name] + (1 - self.decay) * new[name] for name in new}

    def follow(self, params):
        self.updates += 1
        self.shadow = self.blend(self.shadow, params)


class Scaled:
    made = 0

    def __init__(self, factor):
        Scaled.made += 1
        self.number, self.factor = Scaled.made, factor

    def __call__(self, loss):
        return loss * self.factor


class Trainer:
    def __init__(self, model, rate):
        self.model, self.opt = model, optim.AdamW(learning_rate=rate)
        self.smoothing, self.clip = 0.1, 1.0
        self.seen = self.traces = self.depth = 0
        self.metrics = {"loss": 0.0, "step": 0}
        self.is_first = self.is_training = True
        self.began = time.time()
        self.state = [model.state, self.opt.state]
        mx.eval(self.state)
        self.compiled = mx.compile(self.inner, inputs=self.state, outputs=self.state)

    def loss(self, model, x, y):
        return nn.losses.cross_entropy(model(x), y, label_smoothing=self.smoothing, reduction="mean")

    def log(self, what):
        print(what, self.traces, self.metrics)

    def inner(self, x, y):
        self.traces += 1
        self.depth += 1
        self.log("traced")
        if self.is_first:
            print("the first of", self.seen)
        name = f"trace {self.traces} after {self.seen}"
        took_s = time.time() - self.began
        print(f"after {took_s < 1e9}")
        x = mx.where(x > 3, 3.0, x) if self.is_training else x
        loss, grads = nn.value_and_grad(self.model, self.loss)(self.model, x, y)
        grads, _ = optim.clip_grad_norm(grads, self.clip)
        self.opt.update(self.model, grads)
        self.depth -= 1
        self.last_name = name
        return Scaled(1.0)(loss) * 2.0**self.depth

    def step(self, x, y):
        loss = self.compiled(x, y)
        mx.eval(loss, self.state)
        self.seen += len(x)
        self.is_first = self.is_training = False
        self.began = time.time()
        self.score = mx.argmax(self.model(x), axis=-1).tolist() == y.tolist()
        self.is_training = True
        self.metrics = {"loss": loss.item(), "step": self.metrics["step"] + 1}


mx.random.seed(2)
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
trainer = Trainer(model, 5e-3)
flat = partial(dict, a=1)
average = Average({"w": model.layers[0].weight}, 0.95)
for i in range(60):
    x = mx.random.normal((16, 6))
    trainer.step(x, mx.argmax(x[:, :3], axis=-1))
    average.follow({"w": model.layers[0].weight})
    mx.eval(average.shadow)
    if i == 30:
        trainer.opt.learning_rate = 1e-3
print(trainer.metrics, trainer.seen, average.updates, trainer.last_name, flat())
