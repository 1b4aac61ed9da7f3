# The optimizer's state lies in a pickle beside the weights, and is read from there before training goes on.
import pickle
import tempfile
from functools import partial
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from mlx.utils import tree_flatten, tree_unflatten

folder = Path(tempfile.mkdtemp())
mx.random.seed(4)
x = mx.random.uniform(-1, 1, (256, 2))
y = mx.sin(3 * x[:, :1]) * x[:, 1:]


def loss_fn(model, x, y):
    return nn.losses.mse_loss(model(x), y)


def train(steps, resume=False):
    model = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = optim.Adam(learning_rate=2e-3)
    optimizer.init(model.trainable_parameters())
    if resume:
        model.load_weights(str(folder / "model.safetensors"))
        kept = pickle.loads((folder / "optimizer.pkl").read_bytes())
        optimizer.state = tree_unflatten([(name, mx.array(one)) for name, one in kept])
    state = [model.state, optimizer.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def step(x, y):
        loss, grads = nn.value_and_grad(model, loss_fn)(model, x, y)
        optimizer.update(model, grads)
        return loss

    for _ in range(steps):
        loss = step(x, y)
        mx.eval(state)
    model.save_weights(str(folder / "model.safetensors"))
    kept = [(name, np.array(one)) for name, one in tree_flatten(optimizer.state)]
    (folder / "optimizer.pkl").write_bytes(pickle.dumps(kept))
    print(loss.item())


train(120)
train(120, resume=True)
