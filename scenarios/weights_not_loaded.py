"""Pre-trained weights never reach the model.

Symptom: fine-tuning begins at the loss of an untrained model, or the model has other shapes than its configuration.

Cause: `strict=False` drops the keys that the model does not have and takes over arrays of any shape, all in silence;
    a loader written by hand that skips what it does not find does the same.

Fix: rename the keys, then load with `strict=True`, the default: it names every key and shape that does not fit.
"""

import mlx.core as mx
from _checkpoints import SAVED_AT, begin, checkpoint, train
from _tiny_llama import held_out_loss
from mlx.utils import tree_flatten, tree_unflatten

from mlxprobe import Outcome, Scenario

probe = Scenario(documents=["002_da2a91385045b159.txt"])
probe.score(held_out_loss)


@probe.correct
def loaded_strictly():
    """Load the weights with `strict=True`, the default."""
    file = f"{checkpoint(with_state=False)}/model.safetensors"
    model, optimizer = begin(seed=1, learning_rate=3e-4)
    model.load_weights(file)
    return train(model, optimizer, first=SAVED_AT)


@probe.broken(
    claims=Outcome.WRONG, says="A placeholder leaves the weights random.", expects=Outcome.WRONG, finds=["MP401"]
)
def placeholder():
    """Read the file and do nothing with it."""
    file = f"{checkpoint(with_state=False)}/model.safetensors"
    model, optimizer = begin(seed=1, learning_rate=3e-4)
    mx.load(file)
    return train(model, optimizer, first=SAVED_AT)


@probe.documented_fix(
    says="Looking up every parameter under `model.` loads the weights.", expects=Outcome.WRONG, finds=["MP401"]
)
def looked_up_under_a_prefix():
    """Look up every parameter under `model.` and skip what is not found; the file has the parameters' own names."""
    file = f"{checkpoint(with_state=False)}/model.safetensors"
    model, optimizer = begin(seed=1, learning_rate=3e-4)
    weights = mx.load(file)
    for name, _ in tree_flatten(model.parameters()):
        if f"model.{name}" in weights:
            model.update(tree_unflatten([(name, weights[f"model.{name}"])]))
    return train(model, optimizer, first=SAVED_AT)


@probe.broken(expects=Outcome.WRONG, finds=["MP401"])
def prefixed_keys_dropped():
    """Load keys that begin with `model.` with `strict=False`."""
    file = f"{checkpoint('model.', with_state=False)}/model.safetensors"
    model, optimizer = begin(seed=1, learning_rate=3e-4)
    model.load_weights(file, strict=False)
    return train(model, optimizer, first=SAVED_AT)


@probe.mitigation(expects=Outcome.ERROR, finds=["MP401"])
def prefixed_keys_refused():
    """Load keys that begin with `model.` with `strict=True`."""
    file = f"{checkpoint('model.', with_state=False)}/model.safetensors"
    model, optimizer = begin(seed=1, learning_rate=3e-4)
    model.load_weights(file)
    return train(model, optimizer, first=SAVED_AT)


@probe.broken(expects=Outcome.WRONG, finds=["MP401"])
def other_shapes_taken_over():
    """Load the weights of a model with a larger vocabulary with `strict=False`."""
    file = f"{checkpoint(vocabulary=80, with_state=False)}/model.safetensors"
    model, optimizer = begin(seed=1, learning_rate=3e-4)
    model.load_weights(file, strict=False)
    return train(model, optimizer, first=SAVED_AT)
