"""Train an autoencoder whose gradients are clipped element by element, and by their norm after that."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map


class Autoencoder(nn.Module):
    def __init__(self, width=20, code=4):
        super().__init__()
        self.encoder = nn.Linear(width, code)
        self.decoder = nn.Linear(code, width)

    def __call__(self, x):
        return self.decoder(nn.relu(self.encoder(x)))


def loss_fn(model, x):
    return nn.losses.mse_loss(model(x), x, reduction="mean")


def clip_elements(grads, limit):
    return tree_map(lambda g: mx.clip(g, -limit, limit), grads)  # MP212


def train(model, data, steps=40, batch=50):
    optimizer = optim.SGD(learning_rate=1.0)
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    for step in range(steps):
        rows = mx.random.randint(0, data.shape[0], (batch,))
        loss, grads = loss_and_grad(model, data[rows])
        grads = clip_elements(grads, 1e-2)
        grads, norm = optim.clip_grad_norm(grads, max_norm=1.0)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, loss, norm)
        if step % 10 == 0:
            print(f"{step:3} {loss.item():.3f} {norm.item():.3f}")


if __name__ == "__main__":
    mx.random.seed(73)
    basis = 2 * mx.random.normal((4, 20))
    train(Autoencoder(), mx.random.normal((500, 4)) @ basis)
