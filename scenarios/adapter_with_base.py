"""Low-rank adapters are trained, and the weights that they adapt are trained beside them.

Symptom: memory and optimizer state are those of full training, and the adapters' file alone restores another model.
Cause: the base was never frozen before the adapters were put in.
Fix: `model.freeze()`, then the adapters; what is to be trained whole (a head, norms) is unfrozen by name.
"""

import mlx.core as mx
import mlx.nn as nn
from _adapters import adapt, adapted, train
from _tiny_llama import TinyLlama, held_out_loss

from mlxprobe import Outcome, Scenario

probe = Scenario()
probe.score(held_out_loss)


@probe.correct
def base_frozen():
    """Freeze the model, then add the adapters; the norms are trained whole beside them."""
    model = adapted(scale=2.0)
    model.apply_to_modules(lambda _, one: one.unfreeze() if isinstance(one, nn.RMSNorm) else None)
    return train(model)


@probe.broken(expects=Outcome.PASS, finds=["MP211"], comparable=False)
def base_trained():
    """Add the adapters to a model that was never frozen."""
    mx.random.seed(0)
    model = TinyLlama()
    adapt(model, scale=2.0)
    return train(model)
