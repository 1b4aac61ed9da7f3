"""Train an autoencoder with AdamW, evaluating the parameters and the moments by name."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(1)
factors = mx.random.normal((200, 3))
data = factors @ mx.random.normal((3, 12))


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Linear(12, 4)
        self.up = nn.Linear(4, 12)

    def __call__(self, x):
        return self.up(nn.gelu(self.down(x)))


def reconstruction(model, x):
    return nn.losses.mse_loss(model(x), x)


model = Autoencoder()
optimizer = optim.AdamW(learning_rate=0.03)
loss_and_grad = nn.value_and_grad(model, reconstruction)
mx.eval(model.parameters(), data)

losses = []
for _ in range(40):
    rows = mx.random.randint(0, 200, (64,))
    loss, grads = loss_and_grad(model, data[rows])
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state["down"], optimizer.state["up"])
    losses.append(loss.item())
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
