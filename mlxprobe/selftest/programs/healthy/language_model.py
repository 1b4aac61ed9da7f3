"""Train a causal language model: a compiled step, warm-up and cosine, gradients clipped by their norm."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

WORDS, LENGTH, WIDTH, BATCH, STEPS = 11, 16, 32, 16, 80


class LanguageModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, WIDTH)
        self.positions = nn.Embedding(LENGTH, WIDTH)
        self.transformer = nn.TransformerEncoder(1, WIDTH, 4, norm_first=True)
        self.out = nn.Linear(WIDTH, WORDS)

    def __call__(self, ids):
        mask = nn.MultiHeadAttention.create_additive_causal_mask(ids.shape[1])
        x = self.embedding(ids) + self.positions(mx.arange(ids.shape[1]))
        return self.out(self.transformer(x, mask))


def sequences():
    starts = mx.random.randint(0, WORDS, (BATCH, 1))
    strides = mx.random.randint(1, 4, (BATCH, 1))
    return (starts + strides * mx.arange(LENGTH + 1)) % WORDS


def loss_fn(model, ids):
    return nn.losses.cross_entropy(model(ids[:, :-1]), ids[:, 1:], reduction="mean")


mx.random.seed(0)
model = LanguageModel()
rate = optim.join_schedules([optim.linear_schedule(0, 1e-2, 10), optim.cosine_decay(1e-2, STEPS - 10)], [10])
optimizer = optim.Adam(learning_rate=rate)
optimizer.init(model.trainable_parameters())
loss_and_grad = nn.value_and_grad(model, loss_fn)
state = [model.state, optimizer.state]


@partial(mx.compile, inputs=state, outputs=state)
def step(ids):
    loss, grads = loss_and_grad(model, ids)
    grads, _ = optim.clip_grad_norm(grads, max_norm=1.0)
    optimizer.update(model, grads)
    return loss


for number in range(STEPS):
    loss = step(sequences())
    mx.eval(loss, state)
    if number % 10 == 9:
        print(f"step {number + 1}: loss {loss.item():.4f}")
if loss.item() > 1.5:
    raise SystemExit("it has not learned")
