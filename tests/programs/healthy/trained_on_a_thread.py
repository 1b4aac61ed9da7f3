"""All training is done on a thread of its own, by a schedule; the main thread waits for it."""

import threading

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def train():
    mx.random.seed(31)
    net, optimizer = nn.Linear(6, 1), optim.AdamW(learning_rate=optim.cosine_decay(3e-2, 40))
    slope = mx.random.normal((6, 1))
    loss_and_grad = nn.value_and_grad(net, lambda net, x: nn.losses.mse_loss(net(x), x @ slope))
    for _ in range(40):
        loss, grads = loss_and_grad(net, mx.random.normal((32, 6)))
        optimizer.update(net, grads)
        mx.eval(net.parameters(), loss)
    print(f"{loss.item():.4f}")


worker = threading.Thread(target=train)
worker.start()
worker.join()
