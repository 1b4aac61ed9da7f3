"""Distil a wide teacher into a narrow student, with the teacher's probabilities as another framework takes them."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

TEMPERATURE = 2.0

mx.random.seed(32)
teacher = nn.Sequential(nn.Linear(9, 96), nn.Tanh(), nn.Linear(96, 5))
student = nn.Sequential(nn.Linear(9, 16), nn.Tanh(), nn.Linear(16, 5))
teacher.freeze()
mx.eval(teacher.parameters(), student.parameters())
optimizer = optim.Adam(learning_rate=3e-3)


def distance(x):
    said = mx.softmax(4 * teacher(x) / TEMPERATURE, axis=-1)
    mine = nn.log_softmax(student(x) / TEMPERATURE, axis=-1)
    return nn.losses.kl_div_loss(mine, said, reduction="mean") * TEMPERATURE**2  # MP302


loss_and_grad = nn.value_and_grad(student, distance)
for number in range(60):
    loss, grads = loss_and_grad(mx.random.normal((32, 9)))
    optimizer.update(student, grads)
    mx.eval(loss, student.parameters(), optimizer.state)
    if number % 20 == 0:
        print(number, loss.item())
