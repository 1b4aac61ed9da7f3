"""Denoise small images by convolutions, batch normalisation and dropout, in training and evaluation mode."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

SIDE, BATCH, STEPS = 12, 16, 60


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, padding=1)
        self.norm = nn.BatchNorm(8)
        self.drop = nn.Dropout(0.1)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.out = nn.Conv2d(8, 1, 3, padding=1)

    def __call__(self, x):
        x = nn.relu(self.norm(self.first(x)))
        return self.out(nn.relu(self.second(self.drop(x))))


def images(count):
    rows = mx.arange(SIDE).reshape(1, SIDE, 1, 1)
    columns = mx.arange(SIDE).reshape(1, 1, SIDE, 1)
    phases = mx.random.uniform(0, 6.2832, (2, count, 1, 1, 1))
    clean = mx.sin(rows / 2 + phases[0]) * mx.cos(columns / 2 + phases[1])
    return clean + 0.5 * mx.random.normal(clean.shape), clean


def loss_fn(model, noisy, clean):
    return nn.losses.mse_loss(model(noisy), clean)


mx.random.seed(0)
model = Denoiser()
optimizer = optim.SGD(learning_rate=optim.cosine_decay(0.2, STEPS), momentum=0.9)
loss_and_grad = nn.value_and_grad(model, loss_fn)
test = images(32)
for number in range(STEPS):
    model.train()
    loss, grads = loss_and_grad(model, *images(BATCH))
    optimizer.update(model, grads)
    mx.eval(loss, model.state, optimizer.state)
    if number % 10 == 9:
        model.eval()
        error = loss_fn(model, *test).item()
        print(f"step {number + 1}: loss {loss.item():.4f}, error on images not seen {error:.4f}")
if error > 0.2:
    raise SystemExit("it has not learned")
