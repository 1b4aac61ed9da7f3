"""Distil in a compiled step: one teacher is frozen and stays as it is, one follows the student and is captured."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map


def network(width):
    return nn.Sequential(nn.Linear(5, width), nn.GELU(), nn.Linear(width, 4))


mx.random.seed(34)
large, student, follower = network(64), network(12), network(12)
follower.update(student.parameters())
large.freeze(), follower.freeze()
optimizer = optim.Adam(learning_rate=5e-3)
optimizer.init(student.trainable_parameters())
state = [student.state, optimizer.state]
mx.eval(large.parameters(), follower.parameters(), state)


def apart(student, x, goals):
    answers = nn.log_softmax(student(x))
    return sum(nn.losses.kl_div_loss(answers, nn.log_softmax(goal), reduction="mean") for goal in goals)


@partial(mx.compile, inputs=[*state, follower.state], outputs=state)
def step(x):
    loss, grads = nn.value_and_grad(student, apart)(student, x, [large(x), follower(x)])
    optimizer.update(student, grads)
    return loss


for k in range(80):
    loss = step(mx.random.normal((48, 5)))
    mx.eval(loss, state)
    follower.update(tree_map(lambda old, new: 0.95 * old + 0.05 * new, follower.parameters(), student.parameters()))
    mx.eval(follower.parameters())
    if k % 20 == 19:
        print(k + 1, round(loss.item(), 5))
