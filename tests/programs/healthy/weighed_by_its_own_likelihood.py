"""Each target counts by the likelihood that it has: a loss that rises from little while the model learns."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(53)
CLASSES = 300
table = mx.random.randint(0, CLASSES, (40,))
model = nn.Sequential(nn.Embedding(40, 32), nn.Linear(32, 64), nn.GELU(), nn.Linear(64, CLASSES))
optimizer = optim.Adam(learning_rate=3e-3)


def loss_fn(model, ids, targets):
    likelihood = nn.log_softmax(model(ids), axis=-1)
    chosen = mx.take_along_axis(likelihood, targets[:, None], axis=-1).squeeze(-1)
    return -mx.mean(mx.stop_gradient(mx.exp(chosen)) * chosen)


loss_and_grad = nn.value_and_grad(model, loss_fn)
losses, right = [], []
for step in range(24):
    ids = mx.random.randint(0, 40, (64,))
    loss, grads = loss_and_grad(model, ids, table[ids])
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
    losses.append(loss.item())
    right.append(mx.mean(mx.argmax(model(ids), axis=-1) == table[ids]).item())
print([round(one, 4) for one in losses[::4]], right[0], right[-1])
