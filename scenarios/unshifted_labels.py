"""Next-token targets are not shifted by one position.

Symptom: the training loss falls to zero while the model learns to copy its input; or it hardly falls at all; or the
    loss raises ValueError.

Cause: the labels are the inputs themselves, or the slice cut another axis: `input_ids[1:]` drops a row of the batch.
Fix: compare `logits[:, :-1]` with `input_ids[:, 1:]`.
"""

import mlx.core as mx
import mlx.nn as nn
from _tiny_llama import LENGTH, batch, build, held_out_loss

from mlxprobe import Outcome, Scenario

probe = Scenario(documents=["002_da2a91385045b159.txt", "004_5bdaaef4cda6c98e.txt"])
probe.score(held_out_loss)


def loss(logits, labels):
    """Return the mean cross-entropy, flattened as in document 004: only the number of labels must fit."""
    return nn.losses.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1), reduction="mean")


def train(loss_fn, size=LENGTH):
    """Train on batches of `size` rows: as many as a row has positions, unless said otherwise."""
    model, optimizer = build()
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    for step in range(20):
        value, grads = loss_and_grad(model, batch(step, size=size)[0])
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        value.item()
    return model


@probe.correct
def shifted():
    """Compare each position's logits with the next token."""
    return train(lambda model, input_ids: loss(model(input_ids)[:, :-1], input_ids[:, 1:]))


@probe.broken(
    document="002_da2a91385045b159.txt",
    claims=Outcome.NO_LEARNING,
    says="Without the shift it is no proper next-token prediction.",
    expects=Outcome.NO_LEARNING,
    finds=["MP303"],
)
def not_shifted():
    """Compare each position's logits with its own token."""
    return train(lambda model, input_ids: loss(model(input_ids), input_ids))


@probe.broken(expects=Outcome.NO_LEARNING)
def shifted_to_the_right():
    """Compare each position's logits with the token before it."""
    return train(lambda model, input_ids: loss(model(input_ids)[:, 1:], input_ids[:, :-1]))


@probe.documented_fix(
    document="004_5bdaaef4cda6c98e.txt", says="`input_ids[1:]` removes the first label.", expects=Outcome.ERROR
)
def batch_axis_sliced():
    """Slice the labels' first axis, which is the batch."""
    return train(lambda model, input_ids: loss(model(input_ids)[:, :-1], input_ids[1:]), size=4)


@probe.documented_fix(
    document="004_5bdaaef4cda6c98e.txt", says="`input_ids[1:]` removes the first label.", expects=Outcome.WRONG
)
def batch_axis_sliced_unnoticed():
    """Slice the labels' first axis where batch and length are equal, so that the number of labels fits."""
    return train(lambda model, input_ids: loss(model(input_ids)[:, :-1], input_ids[1:]))


@probe.documented_fix(document="004_5bdaaef4cda6c98e.txt", says="`input_ids[1:]` removes the first label.")
def one_sequence_sliced():
    """Slice the only axis that a single sequence has."""
    return train(lambda model, rows: sum(loss(model(ids[None])[:, :-1], ids[1:]) for ids in rows) / len(rows))
