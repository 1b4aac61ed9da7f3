"""An autoencoder ends in a sigmoid, and is to return numbers that are standardised."""
# also: MP306

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.into, self.out = nn.Linear(12, 4), nn.Linear(4, 12)

    def __call__(self, x):
        return mx.sigmoid(self.out(mx.tanh(self.into(x))))  # MP336


mx.random.seed(12)
basis = mx.random.normal((3, 12)) / 3**0.5
model, optimizer = Autoencoder(), optim.Adam(learning_rate=3e-3)
gradient = nn.value_and_grad(model, lambda model, x: nn.losses.mse_loss(model(x), x))
for step in range(120):
    x = mx.random.normal((64, 3)) @ basis
    loss, grads = gradient(model, x)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    if step % 20 == 19:
        print(step, loss.item())
