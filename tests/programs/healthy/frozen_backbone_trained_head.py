"""Freeze a whole model, unfreeze its head, and train the head alone on top of the fixed features."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = [nn.Linear(6, 48), nn.Linear(48, 48)]
        self.norm = nn.LayerNorm(48)
        self.head = nn.Linear(48, 3)

    def __call__(self, x):
        for layer in self.backbone:
            x = nn.gelu(layer(x))
        return self.head(self.norm(x))


mx.random.seed(7)
x = mx.random.normal((192, 6))
y = mx.argmax(x[:, :3] + 0.5 * x[:, 3:], axis=1)

model = Classifier()
model.freeze()
model.head.unfreeze()
optimizer = optim.Adam(learning_rate=0.02)


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y).mean()


loss_and_grad = nn.value_and_grad(model, loss_fn)
losses = []
for _ in range(35):
    loss, grads = loss_and_grad(model, x, y)
    optimizer.update(model, grads)
    mx.eval(model.trainable_parameters(), optimizer.state, loss)
    losses.append(loss.item())
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
