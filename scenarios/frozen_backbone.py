"""A frozen backbone runs in full at every step.

Symptom: freezing the backbone saves little; the time of a step goes into a model that never changes.
Cause: the frozen part must run forward, and backward to the encoder before it; freezing leaves out only the gradients
    of its own weights. Its last states depend on the encoder, which trains, and cannot be kept.
Fix: keep what does not depend on the encoder: the keys and values of an instruction that stands before the series.
"""

import mlx.core as mx
import mlx.nn as nn
from _time_series_lm import ANSWER_LENGTH, BATCH, VOCABULARY, batch, build, read, read_after

from mlxprobe import Outcome, Scenario

STEPS, BATCHES = 8, 4  # the same ones again and again, so that there is something to keep
INSTRUCTION = mx.arange(128) % VOCABULARY
COSTS = {"cpu": Outcome.SLOW, "gpu": Outcome.PASS}

probe = Scenario(documents=["003_a039be727e17cf61.txt"], slow_factor=1.5)


def read_all(model, number):
    """Run the Llama over the instruction, the series and the answer of a batch."""
    instruction = mx.repeat(model.llm.embed_tokens(INSTRUCTION)[None], BATCH, axis=0)
    return read(model.llm, mx.concatenate([instruction, model.embed(*batch(number))], axis=1))


def head_loss(model, states, number):
    return nn.losses.cross_entropy(model.lm_head(states[:, -ANSWER_LENGTH:]), batch(number)[1], reduction="mean")


def train(model, optimizer, loss_fn):
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, step % BATCHES)
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
    return model


@probe.correct
def instruction_kept():
    """Run the frozen Llama over the instruction once, and over series and answer at every step."""
    model, optimizer = build()
    model.llm.freeze()
    _, past = read_after(model.llm, model.llm.embed_tokens(INSTRUCTION)[None], past=[])

    def loss_fn(model, number):
        states, _ = read_after(model.llm, model.embed(*batch(number)), past)
        return head_loss(model, states, number)

    mx.eval(past)
    return train(model, optimizer, loss_fn)


@probe.broken(claims=Outcome.SLOW, says="A frozen Llama in the loop makes a step take 19 s.", expects=COSTS)
def frozen_and_run_every_step():
    """Run the frozen Llama over instruction, series and answer at every step."""
    model, optimizer = build()
    model.llm.freeze()
    return train(model, optimizer, lambda model, number: head_loss(model, read_all(model, number), number))


@probe.broken(expects=Outcome.WRONG)
def nothing_frozen():
    """Run the Llama over all of it at every step, and train it too."""
    return train(*build(), lambda model, number: head_loss(model, read_all(model, number), number))


@probe.mitigation(claims=Outcome.PASS, says="Keeping its outputs is faster.", expects=Outcome.WRONG, finds=["MP201"])
def outputs_kept():
    """Keep the frozen Llama's last states of each batch, although the encoder before it trains."""
    model, optimizer = build()
    model.llm.freeze()
    outputs = []
    for number in range(BATCHES):
        outputs.append(read_all(model, number))
        mx.eval(outputs)
    return train(model, optimizer, lambda model, number: head_loss(model, outputs[number], number))
