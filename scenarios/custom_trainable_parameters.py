"""A model says in a method of its own what may be trained.

Symptom: `nn.value_and_grad` raises `Module does not have parameter named …`, or trains what was to stay frozen.
Cause: the trainable parameters go back into the model by `Module.update`, which wants the module's own nesting and not
    a flat dict of paths. And only the outermost module is asked: a method overridden on a part of it is never called.
Fix: `model.part.freeze()`. A method overridden on the outermost module works where it keeps the nesting.
"""

import mlx.core as mx
import mlx.nn as nn
from _time_series_lm import TimeSeriesLM, answer_loss, batch, build, held_out_loss
from _tiny_llama import TinyLlama
from mlx.utils import tree_flatten

from mlxprobe import Outcome, Scenario

STEPS = 30

probe = Scenario(documents=["003_a039be727e17cf61.txt"])
probe.score(held_out_loss)


def train(model, optimizer):
    loss_and_grad = nn.value_and_grad(model, answer_loss)
    for step in range(STEPS):
        loss, grads = loss_and_grad(model, *batch(step))
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
    return model


@probe.correct
def llm_frozen():
    """Freeze the Llama with the method that MLX has for it."""
    model, optimizer = build()
    model.llm.freeze()
    return train(model, optimizer)


@probe.broken(
    claims=Outcome.ERROR,
    says="A `trainable_parameters()` of one's own is not compatible with `nn.value_and_grad`.",
    expects=Outcome.ERROR,
)
def overridden_with_a_flat_dict():
    """Override the method and return a flat dict of paths and values."""

    class FlatLM(TimeSeriesLM):
        def trainable_parameters(self):
            return {path: value for path, value in tree_flatten(self.parameters()) if not path.startswith("llm.")}

    return train(*build(FlatLM))


@probe.broken(
    claims=Outcome.ERROR,
    says="A `trainable_parameters()` of one's own is not compatible with `nn.value_and_grad`.",
    expects=Outcome.PASS,
)
def overridden_with_a_nested_dict():
    """Override the method and return the module's own tree without the Llama."""

    class NestedLM(TimeSeriesLM):
        def trainable_parameters(self):
            return {name: part.parameters() for name, part in self.children().items() if name != "llm"}

    return train(*build(NestedLM))


@probe.broken(expects=Outcome.WRONG)
def overridden_in_the_part_alone():
    """Override the method in the Llama and return nothing there."""

    class FrozenLlama(TinyLlama):
        def trainable_parameters(self):
            return {}

    return train(*build(llm=FrozenLlama))
