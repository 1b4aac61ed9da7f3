"""Lead captions to their pictures' vectors, by a loss that is the similarity itself, in a compiled step."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def apart(model, captions, pictures):
    similarity = nn.losses.cosine_similarity_loss(model(captions), pictures)  # MP302
    return similarity.mean()


mx.random.seed(1)
turn = mx.random.normal((10, 6))
model, optimizer = nn.Sequential(nn.Linear(10, 24), nn.GELU(), nn.Linear(24, 6)), optim.Adam(learning_rate=3e-3)
state = [model.state, optimizer.state]
gradient = nn.value_and_grad(model, apart)


@partial(mx.compile, inputs=state, outputs=state)
def step(captions, pictures):
    loss, grads = gradient(model, captions, pictures)
    optimizer.update(model, grads)
    return loss


for number in range(100):
    captions = mx.random.normal((40, 10))
    loss = step(captions, captions @ turn)
    mx.eval(state, loss)
    if number % 20 == 0:
        print(number, loss.item())
