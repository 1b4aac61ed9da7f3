"""Prepare batches on a background thread that evaluates each one before it goes into the queue."""

import queue
import threading

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np


class Prefetcher(threading.Thread):
    def __init__(self, steps, seed):
        super().__init__(daemon=True)
        self.steps, self.rng = steps, np.random.default_rng(seed)
        self.ready = queue.Queue(maxsize=4)

    def run(self):
        for _ in range(self.steps):
            angle = mx.array(self.rng.uniform(0, 6.28, (64, 1)).astype(np.float32))
            x = mx.concatenate([mx.cos(angle), mx.sin(angle)], axis=1)
            y = mx.sin(2 * angle)
            mx.eval(x, y)
            self.ready.put((x, y))
        self.ready.put(None)

    def __iter__(self):
        return iter(self.ready.get, None)


mx.random.seed(44)
model = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = optim.Adam(learning_rate=0.03)
loss_and_grad = nn.value_and_grad(model, lambda m, x, y: nn.losses.mse_loss(m(x), y))
batches = Prefetcher(steps=40, seed=44)
batches.start()
losses = []
for x, y in batches:
    loss, grads = loss_and_grad(model, x, y)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    losses.append(loss.item())
batches.join()
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
