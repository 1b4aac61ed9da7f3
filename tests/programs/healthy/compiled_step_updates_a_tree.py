"""A compiled step whose optimizer is given the parameters as a plain tree, and whose results the model takes in."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(0)


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(24, 16)
        self.out = nn.Linear(16, 24)

    def __call__(self, ids):
        return self.out(self.words(ids))


model, optimizer = Tagger(), optim.AdamW(1e-2)
mx.eval(model.parameters())
optimizer.init(model.trainable_parameters())


def loss_fn(model, batch):
    picked = nn.losses.cross_entropy(model(batch["ids"]), batch["tags"])
    return (picked * batch["mask"]).sum() / batch["mask"].sum()


gradients = nn.value_and_grad(model, loss_fn)


def step(batch, update):
    loss, grads = gradients(model, batch)
    if update:
        model.update(optimizer.apply_gradients(grads, model.trainable_parameters()))
    return loss


state = [model.state, optimizer.state]
step = mx.compile(step, inputs=state, outputs=state)
for _ in range(40):
    ids = mx.random.randint(0, 24, (8, 12))
    loss = step({"ids": ids, "tags": (ids + 5) % 24, "mask": mx.ones(ids.shape)}, True)
    mx.eval(state, loss)
    assert loss.item() < 10
