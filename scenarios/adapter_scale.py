"""An adapter's file is loaded into layers of another scale, or of another rank, than wrote it.

Symptom: the adapted model is worse than it was when it was saved, or gives nonsense; nothing fails.
Cause: the file holds two factors, and not what their product is multiplied by; `strict=False` takes any shape.
Fix: build the layers from the rank and scale that were stored beside the file.
Limits: with other sizes the default scale may not learn at all, where it learns too little here.
"""

import json
import tempfile

import mlx.core as mx
from _adapters import adapted, train
from _tiny_llama import held_out_loss
from mlx.utils import tree_flatten

from mlxprobe import Outcome, Scenario

probe = Scenario()
probe.score(held_out_loss)

OPTIONS = {"rank": 4, "scale": 2.0}


def saved():
    """Train adapters, save them and their configuration, and return their folder."""
    folder = tempfile.mkdtemp()
    model = train(adapted(**OPTIONS), last=30)
    mx.save_safetensors(f"{folder}/adapters.safetensors", dict(tree_flatten(model.trainable_parameters())))
    with open(f"{folder}/adapter_config.json", "w") as file:
        json.dump({"lora_parameters": OPTIONS}, file)
    return folder


def resumed(folder, **options):
    """Load the adapters into layers made anew, and train on."""
    model = adapted(**options)
    model.load_weights(f"{folder}/adapters.safetensors", strict=False)
    return train(model, first=30, last=50)


@probe.correct
def scale_from_its_configuration():
    """Make the layers with the options that were stored."""
    folder = saved()
    with open(f"{folder}/adapter_config.json") as file:
        return resumed(folder, **json.load(file)["lora_parameters"])


@probe.broken(expects=Outcome.WRONG, finds=["MP403"])
def default_scale():
    """Leave the scale at its default."""
    return resumed(saved())


@probe.broken(expects=Outcome.PASS, finds=["MP403"])
def other_rank():
    """Make the layers with twice the rank; they take the file's factors, and with them its rank."""
    return resumed(saved(), rank=8, scale=2.0)
