"""Train two networks beside each other; the second one's update is given the first one's gradients."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(3)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(6, 16)
        self.out = nn.Linear(16, 1)

    def __call__(self, x):
        return self.out(nn.relu(self.hidden(x)))


def error(net, x, y):
    return nn.losses.mse_loss(net(x), y)


first, second = Net(), Net()
one, other = optim.Adam(learning_rate=0.01), optim.Adam(learning_rate=0.01)
first_step, second_step = nn.value_and_grad(first, error), nn.value_and_grad(second, error)

for step in range(120):
    x = mx.random.normal((32, 6))
    loss, gradients = first_step(first, x, x.sum(axis=1, keepdims=True))
    gradients, _ = optim.clip_grad_norm(gradients, 0.5)
    one.update(first, gradients)
    wrong, of_second = second_step(second, x, 3 - 2 * x[:, :1])
    other.update(second, gradients)  # MP204
    mx.eval(first.parameters(), second.parameters(), one.state, other.state)
    if step % 20 == 0:
        print(step, loss.item(), wrong.item())
