"""A student is taught by another of its class, and it is the student's outputs that are cut off."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(6, 24), nn.Linear(24, 3)

    def __call__(self, x):
        return self.two(nn.relu(self.one(x)))


mx.random.seed(3)
student, teacher = Net(), Net()
teacher.freeze()
optimizer = optim.Adam(learning_rate=1e-3)


def loss_fn(student, x):
    return mx.mean(mx.square(mx.stop_gradient(student(x)) - teacher(x)))


gradient = nn.value_and_grad(student, loss_fn)
for _ in range(60):
    x = mx.random.normal((32, 6))
    loss, grads = gradient(student, x)  # MP201
    optimizer.update(student, grads)
    mx.eval(student.parameters(), optimizer.state, loss)
# also: MP205, MP306
