"""Token ids reach beyond the model's vocabulary.

Symptom: none. The loss is finite and falls as it should; only the trained model is worse.
Cause: a tokenizer with an added token gives an id that the model has no row for, and MLX checks no index. The embedding
    reads the memory behind its weights: zeros, numbers of another array, or what ends the process. A target takes the
    next position's logit for its own.
Fix: map added tokens to ids that the model keeps in reserve, or enlarge the model; check `ids.max() < vocabulary`.
"""

import mlx.core as mx
import mlx.nn as nn
from _time_series_lm import batch, build

from mlxprobe import Outcome, Scenario

STEPS = 20
VOCABULARY = 4096  # rows of the model's embedding; its last ones are in reserve
RESERVED = VOCABULARY - 1
ADDED = VOCABULARY  # the id that the tokenizer gives to the separator it has added

probe = Scenario(documents=["003_a039be727e17cf61.txt"])


def separated(answer, separator):
    """Put a separator in the third place."""
    return mx.concatenate([answer[:, :2], mx.full((len(answer), 1), separator), answer[:, 3:]], axis=1)


def loss_of(model, series, inputs, targets):
    return nn.losses.cross_entropy(model(series, inputs), targets, reduction="mean")


@probe.score
def true_loss(model):
    series, answer = batch(step=10_001, size=32)
    answer = separated(answer, RESERVED)
    return loss_of(model, series, answer, answer).item()


def train(inputs_of, targets_of):
    model, optimizer = build(vocabulary=VOCABULARY)
    model.llm.freeze()
    loss_and_grad = nn.value_and_grad(model, loss_of)
    for step in range(STEPS):
        series, answer = batch(step)
        loss, grads = loss_and_grad(model, series, inputs_of(answer), targets_of(answer))
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
    return model


@probe.correct
def added_token_mapped():
    """Map the tokenizer's added token to a reserved id."""
    return train(lambda answer: separated(answer, RESERVED), lambda answer: separated(answer, RESERVED))


@probe.broken(expects=Outcome.WRONG, finds=["MP304"])
def added_token_in_the_embedding():
    """Look the added token up as it comes; it is a target by its reserved id."""
    return train(lambda answer: separated(answer, ADDED), lambda answer: separated(answer, RESERVED))


@probe.broken(expects=Outcome.WRONG, finds=["MP304"])
def added_token_as_target():
    """Predict the added token as it comes; it is looked up by its reserved id."""
    return train(lambda answer: separated(answer, RESERVED), lambda answer: separated(answer, ADDED))
