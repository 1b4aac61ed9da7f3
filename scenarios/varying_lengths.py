"""Every batch is padded to its own longest sample, and no length comes back.

Symptom: memory grows to what the machine has while MLX's arrays stay small; a Mac swaps, and training becomes as slow
as a hang. With a compiled step `[metal::malloc] Resource limit (499000) exceeded` ends it, memory flat.
Cause: a freed buffer is kept for an array of nearly its size, and no batch has that size again; a compiled function
keeps a trace for every length, with all its numbers and tables.
Fix: pad to few lengths. `mx.set_cache_limit`, or `mx.clear_cache()` now and then, bounds the cache, not the traces.
"""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

from mlxprobe.catalogue.declaration import Outcome, Scenario

probe = Scenario()
WORDS, TAGS, WIDTH, STEPS, LONGEST, CHUNKS = 64, 128, 32, 96, 1200, 480
mx.set_cache_limit(8 << 30)  # a GPU has no less by default; the CPU has 32 MB, and none before MLX 0.32


def train(padded=lambda length: length, compiled=False, after=lambda step: None, steps=STEPS):
    """Tag words of batches of four; the lengths are the same in all variants before they are padded."""
    mx.random.seed(0)
    lengths = [1 + place * 457 % LONGEST for place in range(steps)]  # none comes twice
    model = nn.Sequential(nn.Embedding(WORDS, WIDTH), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, TAGS))
    optimizer = optim.SGD(optim.cosine_decay(0.5, 4_000))
    mx.eval(model.parameters())
    state = [model.state, optimizer.state]

    def loss_fn(model, words, real):
        plan = [mx.array([1.0 / chunk]) for chunk in range(1, CHUNKS if compiled else 2)]
        lost = nn.losses.cross_entropy(model(words), words % 5) * real
        return lost.sum() / real.sum() * mx.concatenate(plan).max()

    def step(words, real):
        loss, grads = nn.value_and_grad(model, loss_fn)(model, words, real)
        optimizer.update(model, grads)
        return loss

    step = partial(mx.compile, inputs=state, outputs=state)(step) if compiled else step
    for number, length in enumerate(lengths, 1):
        size = padded(length)
        words = mx.random.randint(0, WORDS, (4, LONGEST))[:, :size]
        loss = step(words, mx.broadcast_to(mx.arange(size) < length, words.shape))
        mx.eval(loss, state)
        after(number)


@probe.correct
def twelve_buckets():
    """Lengths are padded to multiples of 100."""
    train(padded=lambda length: -(-length // 100) * 100)


@probe.broken(expects=Outcome.PASS, finds=["MP113"], found_on=("cpu mlx>=0.32",))
def a_new_length_at_each_step():
    """Each batch has a length of its own: the cache grows to the end."""
    train()


@probe.broken(expects=Outcome.PASS, finds=["MP114", "MP502"], comparable=False)
def a_new_length_compiled():
    """A compiled step keeps a trace for each of them, with the tables of its loss."""
    train(compiled=True, steps=48)


@probe.mitigation(expects=Outcome.PASS)
def cache_limit():
    """The cache is held to about what a step needs."""
    mx.set_cache_limit(32 << 20)
    train()


@probe.mitigation(expects=Outcome.PASS)
def cache_cleared_every_twenty_steps():
    """The cache is emptied now and then."""
    train(after=lambda step: mx.clear_cache() if step % 20 == 0 else None)
