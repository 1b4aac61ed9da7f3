"""The gradients' norm is to be bounded, and what is returned is left; the second update already overflows."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Sums(nn.Module):
    def __init__(self):
        super().__init__()
        self.into, self.again, self.out = nn.Linear(2, 48), mx.eye(48), nn.Linear(48, 1)

    def __call__(self, x):
        state = mx.zeros((x.shape[0], 48))
        for moment in range(x.shape[1]):
            state = nn.relu(self.into(x[:, moment]) + state @ self.again)
        return self.out(state)[:, 0]


mx.random.seed(0)
model, optimizer = Sums(), optim.SGD(learning_rate=0.05, momentum=0.9)
gradient = nn.value_and_grad(model, lambda model, x, y: nn.losses.mse_loss(model(x), y))
for step in range(40):
    x = mx.random.uniform(shape=(48, 20, 2))
    loss, grads = gradient(model, x, mx.sum(x[:, :, 0], axis=1))
    optim.clip_grad_norm(grads, max_norm=0.5)  # MP212
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item())
# also: MP207, MP208, MP306
