"""`model.train()` is forgotten after a validation, or `model.eval()` before it.

Symptom: after the first validation the model overfits as if it had no dropout; or validation losses are noisy.
Cause: a mode stays until it is set again.
Fix: `model.train()` before each epoch's steps, `model.eval()` before each validation.
"""

from _classifier import batch, epoch, loss, network

from mlxprobe import Outcome, Scenario

probe = Scenario()


def train(before_steps, before_validation):
    """Train three epochs, each with a validation."""
    model, optimizer = network()
    for _ in range(3):
        before_steps(model)
        epoch(model, optimizer)
        before_validation(model)
        for _ in range(4):
            loss(model, *batch()).item()
    return model


@probe.correct
def both_set():
    """Set both modes."""
    return train(lambda model: model.train(), lambda model: model.eval())


@probe.broken(expects=Outcome.WRONG, finds=["MP215"])
def never_back_to_training():
    """Leave `model.train()` out."""
    return train(lambda model: None, lambda model: model.eval())


@probe.broken(expects=Outcome.WRONG, finds=["MP226"])
def validated_in_training_mode():
    """Leave `model.eval()` out."""
    return train(lambda model: model.train(), lambda model: None)
