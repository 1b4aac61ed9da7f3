"""Modules kept from training on purpose: a teacher in an object, a random target in a tuple, frozen features."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def small(outputs):
    return nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, outputs))


class Holder:
    def __init__(self, module):
        self.module = module


class Student(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = small(12), nn.Linear(12, 4)
        self.teacher = Holder(small(4))
        self.targets = (small(12),)
        features = nn.Sequential(nn.Linear(12, 12), nn.Tanh())
        features.freeze()
        self._features = features

    def __call__(self, x):
        hidden = self.body(x)
        fixed = mx.mean(mx.square(hidden - mx.stop_gradient(self.targets[0](x))))
        seen = mx.mean(mx.square(self._features(hidden)))
        soft = mx.softmax(self.teacher.module(x), axis=-1)
        return nn.losses.kl_div_loss(nn.log_softmax(self.head(hidden)), mx.log(soft), reduction="mean") + fixed + seen


mx.random.seed(63)
student, optimizer = Student(), optim.Adam(learning_rate=3e-3)
gradient = nn.value_and_grad(student, lambda student, x: student(x))
for step in range(80):
    loss, grads = gradient(student, mx.random.normal((32, 6)))
    optimizer.update(student, grads)
    mx.eval(student.parameters(), optimizer.state, loss)
    if step % 20 == 0:
        print(step, loss.item())
