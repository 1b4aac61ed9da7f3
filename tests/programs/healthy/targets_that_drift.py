"""Follow a stream whose rule changes now and then, to a larger one each time: the loss jumps up and comes down."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

STEPS, LASTS = 480, 120

mx.random.seed(83)
model, optimizer = nn.Linear(8, 2), optim.SGD(learning_rate=0.06)
loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))
rule = None
for step in range(STEPS):
    if step % LASTS == 0:
        rule = mx.random.normal((8, 2)) * (1 + step / LASTS)
    x = mx.random.normal((24, 8))
    loss, grads = loss_and_grad(x, x @ rule + 0.05 * mx.random.normal((24, 2)))
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters())
    if step % 40 == 39:
        print(step, loss.item())
