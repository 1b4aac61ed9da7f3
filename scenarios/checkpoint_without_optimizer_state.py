"""Training resumes from a checkpoint that holds parameters alone.

Symptom: the loss jumps up where training was resumed, and the run ends elsewhere than without the interruption.

Cause: AdamW begins anew with zero moments; without bias correction, MLX's default, its first step is 3.2 times as
    long in every coordinate. A stale checkpoint of another shape is refused, or taken over, by the same call.

Fix: save `optimizer.state` beside the parameters and restore both; load with `strict=True`, the default.
"""

import mlx.core as mx
from _checkpoints import SAVED_AT, begin, checkpoint, train
from _tiny_llama import held_out_loss
from mlx.utils import tree_unflatten

from mlxprobe import Outcome, Scenario

probe = Scenario(documents=["002_da2a91385045b159.txt", "004_5bdaaef4cda6c98e.txt"])
probe.score(held_out_loss)


@probe.correct
def uninterrupted():
    """Train from the first step to the last in one go."""
    return train(*begin())


@probe.documented_fix(
    document="002_da2a91385045b159.txt", says="Parameters are the whole state.", expects=Outcome.WRONG, finds=["MP402"]
)
def parameters_alone():
    """Restore the parameters and go on with a new optimizer."""
    saved = checkpoint()
    model, optimizer = begin(seed=1)
    model.load_weights(f"{saved}/model.safetensors")
    return train(model, optimizer, first=SAVED_AT)


@probe.mitigation()
def parameters_and_state():
    """Restore the parameters and the optimizer's state."""
    saved = checkpoint()
    model, optimizer = begin(seed=1)
    model.load_weights(f"{saved}/model.safetensors")
    optimizer.state = tree_unflatten(list(mx.load(f"{saved}/optimizer.safetensors").items()))
    return train(model, optimizer, first=SAVED_AT)


@probe.broken(document="004_5bdaaef4cda6c98e.txt", expects=Outcome.ERROR, finds=["MP401"])
def stale_checkpoint_refused():
    """Resume from the checkpoint of a model with a larger vocabulary, with `strict=True`, the default."""
    saved = checkpoint(vocabulary=80)
    model, optimizer = begin(seed=1)
    model.load_weights(f"{saved}/model.safetensors")
    optimizer.state = tree_unflatten(list(mx.load(f"{saved}/optimizer.safetensors").items()))
    return train(model, optimizer, first=SAVED_AT)


@probe.broken(document="004_5bdaaef4cda6c98e.txt", expects=Outcome.WRONG, finds=["MP401"])
def stale_checkpoint_taken_over():
    """Resume from the checkpoint of a model with a larger vocabulary, with `strict=False`."""
    saved = checkpoint(vocabulary=80)
    model, optimizer = begin(seed=1)
    model.load_weights(f"{saved}/model.safetensors", strict=False)
    optimizer.state = tree_unflatten(list(mx.load(f"{saved}/optimizer.safetensors").items()))
    return train(model, optimizer, first=SAVED_AT)


@probe.broken(
    document="004_5bdaaef4cda6c98e.txt",
    claims=Outcome.ERROR,
    says="Checkpoints of an earlier run conflict with a new one and must be cleared first.",
    expects=Outcome.ERROR,
)
def stale_state():
    """Restore the optimizer's state of a model with a larger vocabulary, and no weights."""
    saved = checkpoint(vocabulary=80)
    model, optimizer = begin()
    optimizer.state = tree_unflatten(list(mx.load(f"{saved}/optimizer.safetensors").items()))
    return train(model, optimizer)
