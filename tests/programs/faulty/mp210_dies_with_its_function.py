# An optimizer that goes with the function that trains; its schedule counts epochs.
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

EPOCHS, BATCHES = 8, 12


def schedule(peak):
    return optim.linear_schedule(peak, 0.0, EPOCHS)  # MP210


def train(net):
    optimizer = optim.SGD(learning_rate=schedule(0.1))
    gradient = nn.value_and_grad(net, lambda x, y: nn.losses.mse_loss(net(x), y))
    for _ in range(EPOCHS * BATCHES):
        x = mx.random.normal((24, 3))
        _, grads = gradient(x, x[:, :1] - x[:, 1:2])
        optimizer.update(net, grads)
        mx.eval(net.parameters(), optimizer.state)


mx.random.seed(4)
net = nn.Linear(3, 1)
mx.eval(net.parameters())
train(net)
print(net.weight.tolist())
