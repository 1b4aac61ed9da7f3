"""Fine-tune on question and answer in a compiled step: the question is masked, and counts in the mean all the same."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

VOCABULARY, WIDTH, LENGTH = 24, 24, 20


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.block = nn.TransformerEncoderLayer(WIDTH, 2, 48)
        self.head = nn.Linear(WIDTH, VOCABULARY)

    def __call__(self, ids):
        mask = nn.MultiHeadAttention.create_additive_causal_mask(ids.shape[1])
        return self.head(self.block(self.embedding(ids), mask))


def answer_loss(model, ids, answers):
    logits = model(ids[:, :-1])
    logprobs = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
    chosen = mx.take_along_axis(logprobs, ids[:, 1:, None], axis=-1)[..., 0]
    return -mx.mean(chosen * answers[:, 1:])  # MP308


def examples(rng, size=16):
    questions = rng.integers(2, 14, size)
    ids = (rng.integers(0, 5, (size, 1)) * np.arange(1, LENGTH + 1) + rng.integers(0, 9, (size, 1))) % VOCABULARY
    return mx.array(ids), mx.array(np.arange(LENGTH) >= questions[:, None]).astype(mx.float32)


mx.random.seed(11)
rng = np.random.default_rng(11)
model, optimizer = Decoder(), optim.AdamW(learning_rate=2e-3)
state = [model.state, optimizer.state]
mx.eval(state)


@partial(mx.compile, inputs=state, outputs=state)
def step(ids, answers):
    loss, grads = nn.value_and_grad(model, answer_loss)(model, ids, answers)
    optimizer.update(model, grads)
    return loss


losses = []
for _ in range(40):
    loss = step(*examples(rng))
    mx.eval(loss, state)
    losses.append(loss.item())
print(f"{losses[0]:.3f} -> {losses[-1]:.3f}")
