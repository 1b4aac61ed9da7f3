"""Fit the rate of a logistic growth through twelve hundred explicit steps in one loss."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

TURNS = 1200


class Growth(nn.Module):
    def __init__(self, rate):
        super().__init__()
        self.rate = mx.array(rate)

    def __call__(self, crowd):
        for _ in range(TURNS):
            crowd = crowd + 0.01 * self.rate * crowd * (1 - crowd)  # MP108
        return crowd


mx.random.seed(5)
start = mx.random.uniform(0.01, 0.1, (64,))
wanted = Growth(0.4)(start)
mx.eval(start, wanted)
model, optimizer = Growth(0.1), optim.Adam(learning_rate=0.03)
gradient = nn.value_and_grad(model, lambda: nn.losses.mse_loss(model(start), wanted))
for turn in range(8):
    loss, grads = gradient()
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
    print(turn, loss.item(), model.rate.item())
