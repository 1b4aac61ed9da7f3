"""A reader thread meets a broken record and ends; the training loop waits for the next batch for ever."""

import queue
import threading

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

RECORDS = [f"{k},{k % 7},{(3 * k) % 5}" for k in range(400)]
RECORDS[333] = "333,"


def read(batches):
    rows = []
    for record in RECORDS:
        rows.append([float(part) for part in record.split(",")])
        if len(rows) == 16:
            batches.put(np.array(rows, np.float32))
            rows = []
    batches.put(None)


batches: "queue.Queue[np.ndarray | None]" = queue.Queue(4)
threading.Thread(target=read, args=(batches,), name="reader", daemon=True).start()
mx.random.seed(0)
net, opt = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1)), optim.Adam(learning_rate=1e-2)
gradient = nn.value_and_grad(net, lambda x, y: nn.losses.mse_loss(net(x), y))
while (rows := batches.get()) is not None:  # MP603
    loss, grads = gradient(mx.array(rows[:, 1:]), mx.array(rows[:, :1] / 400))
    opt.update(net, grads)
    mx.eval(net.parameters(), opt.state, loss)
print(loss.item())
