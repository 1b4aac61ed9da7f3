"""Train a small image classifier with batch normalisation and test it with the running statistics."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.norm = nn.BatchNorm(8)
        self.out = nn.Linear(8, 2)

    def __call__(self, x):
        x = nn.relu(self.norm(self.conv(x)))
        return self.out(mx.mean(x, axis=(1, 2)))


def stripes(count):
    """Images of horizontal (0) or vertical (1) stripes with noise, NHWC."""
    label = mx.random.randint(0, 2, (count,))
    wave = mx.sin(mx.arange(8) * 2.0)
    rows = mx.broadcast_to(wave[None, :, None], (count, 8, 8))
    columns = mx.broadcast_to(wave[None, None, :], (count, 8, 8))
    image = mx.where(label[:, None, None] == 0, rows, columns)
    return (image + 0.2 * mx.random.normal(image.shape))[..., None], label


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


mx.random.seed(31)
model = ConvNet()
optimizer = optim.Adam(learning_rate=0.03)
loss_and_grad = nn.value_and_grad(model, loss_fn)
losses = []
for _ in range(30):
    loss, grads = loss_and_grad(model, *stripes(32))
    optimizer.update(model, grads)
    mx.eval(model.state, optimizer.state)
    losses.append(loss.item())
model.eval()
x, y = stripes(64)
accuracy = mx.mean(mx.argmax(model(x), axis=1) == y).item()
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}, accuracy {accuracy:.2f}")
