"""Tell a discriminator that all it is shown is real: it learns to say so, whatever it is shown."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(2)
maker = nn.Sequential(nn.Linear(3, 24), nn.ReLU(), nn.Linear(24, 2))
judge = nn.Sequential(nn.Linear(2, 24), nn.LeakyReLU(0.2), nn.Linear(24, 1))
make, tell = optim.Adam(learning_rate=1e-3), optim.Adam(learning_rate=1e-3)


def judged(model, real, fake):
    logits = model(real), model(fake)
    ones = mx.ones_like(logits[0])
    return sum(nn.losses.binary_cross_entropy(one, ones, reduction="mean") for one in logits)


def fooled(model, noise):
    logits = judge(model(noise))
    return nn.losses.binary_cross_entropy(logits, mx.ones_like(logits), reduction="mean")


judging, fooling = nn.value_and_grad(judge, judged), nn.value_and_grad(maker, fooled)
for step in range(300):
    real = mx.array([2.0, 1.0]) + 0.3 * mx.random.normal((64, 2))
    fake = mx.stop_gradient(maker(mx.random.normal((64, 3))))
    loss, grads = judging(judge, real, fake)  # MP308
    tell.update(judge, grads)
    mx.eval(loss, judge.parameters(), tell.state)
    other, grads = fooling(maker, mx.random.normal((64, 3)))
    make.update(maker, grads)
    mx.eval(other, maker.parameters(), make.state)
    if step % 50 == 0:
        print(step, loss.item(), other.item())
