"""What a run is made of, for the sheet: its model, types, batches, compiled functions, files and time."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from mlxprobe.agent.graph import digests, lazy_graph
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.intercept.states import OURS
from mlxprobe.agent.introspection import lora_detection
from mlxprobe.agent.introspection.paths import shown
from mlxprobe.agent.introspection.trees import weak
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.bound_arguments import Given
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.patching.temporary_patches import Loans
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.sampling.overhead_budget import is_landmark

MOST, COUNTED = 8, 1000  # shapes, functions and files that are named; shapes and files that are counted
KINDS = 16  # of modules, the largest
MOST_BEFORE = 3  # earlier numbers of trainable parameters
LAST_STEP = 64  # up to which batches are compared, at the same steps in each run
NAME_CHARACTERS = 60
NORMALISATION, STATISTICS = "mlx.nn.layers.normalization", ("running_mean", "running_var")  # never trained
LINEAR = {"mlx.nn.layers.linear": "Linear", "mlx.nn.layers.quantized": "QuantizedLinear"}
WRITERS = ("save", "savez", "savez_compressed", "save_safetensors", "save_gguf")


class Makeup(Inspector):
    """Gather shapes, types and names, and compare a few batches in full; nothing is evaluated for it."""

    emits = (".batches", ".model")
    observes = (
        Observe("mlx.core.load", "_reads", never=OURS),
        *(Observe(f"mlx.core.{writer}", "_writes", never=OURS) for writer in WRITERS),
        Observe("mlx.nn.losses.cross_entropy", "_compares", after=True),
    )

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._model: dict[str, Any] = {}
        self._gradients: set[str] = set()
        self._logits: dict[str, Any] = {}
        self._activations: set[str] = set()
        self._listens = True  # to activations, until the first gradient call is over
        self._loans = Loans()  # layers that are wrapped for that
        self._described: Callable[[], Any] = lambda: None  # the model
        self._before: list[tuple[int, int]] = []  # trainable and all parameters, before these changed
        self._optimizer: Callable[[], Any] = lambda: None
        self._batches: dict[str, int] = {}
        self._shapes: set[str] = set()  # all of them, as far as they are counted
        self._compared = digests.Compared()
        self._files: dict[str, dict[str, None]] = {"read": {}, "written": {}}  # as many as are counted

    def calling(self) -> None:
        for name in LINEAR if self._listens and not self._loans.names else ():
            kind = getattr(sys.modules.get(name), LINEAR[name], None)
            if kind is not None:
                self._loans.replace(kind, "__call__", self._product)

    def calling_in_trace(self) -> None:
        self.calling()

    def _reads(self, event: CallEvent) -> None:
        self._note_file("read", event["file"])

    def _writes(self, event: CallEvent) -> None:
        self._note_file("written", event["file"])

    def _note_file(self, what: str, file: Any) -> None:
        files = self._files[what]
        if isinstance(file, (str, os.PathLike)) and len(files) < COUNTED:
            files[shown(os.fspath(file), NAME_CHARACTERS)] = None

    def _compares(self, event: CallEvent) -> None:
        if not self._logits:
            logits, axis = event["logits"], event["axis"]
            self._logits = {"classes": logits.shape[-1 if axis is None else axis], "logits": named(logits)}

    def _product(self, original: Callable[..., Any]) -> Callable[..., Any]:
        given = Given(original, "x")

        @like(original)
        def __call__(*args: Any, **kwargs: Any) -> Any:  # noqa: N807
            if self._listens:
                with self.inspection.recorder.carefully():
                    if static.is_array(x := given(args, kwargs)[0]):
                        self._activations.add(named(x))
            return original(*args, **kwargs)

        return __call__

    def called(self, call: Call) -> None:
        self._listens = False
        self._note_types(call)
        self._note(call.data, call.data)

    def called_in_trace(self, call: Call) -> None:
        self._listens = False
        self._note_types(call)

    def _note_types(self, call: Call) -> None:
        self._gradients = self._gradients or {named(one) for one in lazy_graph.leaves(call.gradients)}

    def given(self, args: Any) -> None:
        self._note([one for one in args if not static.is_a(one, dict)], args)

    def _note(self, listed: Any, data: Any) -> None:
        for one in lazy_graph.leaves(listed)[:MOST]:
            shape = f"{'×'.join(map(str, one.shape)) or 'scalar'} {named(one)}"
            self._shapes |= {shape} if len(self._shapes) < COUNTED else set()
            if shape in self._batches or len(self._batches) < MOST:
                self._batches[shape] = self._batches.get(shape, 0) + 1
        step = self.inspection.recorder.step + 1
        if data and is_landmark(step) and step <= LAST_STEP:
            self._compared.hold(data)

    def began(self, model: Any, optimizer: Any) -> None:
        if self.inspection.recorder.updates == 1:
            self._compared.restart()

    def training(self, model: Any, optimizer: Any) -> None:
        if not static.is_a(model, dict):
            return
        if not self._model:
            self._describe(model, optimizer)
        elif model is self._described() and static.is_module(model):
            now = sum(int(one.size) for one in lazy_graph.leaves(model.trainable_parameters()))
            if now != self._model["trainable"]:
                counts = self._model["trainable"], self._model["parameters"]
                self._before = [*self._before, counts][:MOST_BEFORE]
                self._describe(model, optimizer)

    def _describe(self, model: Any, optimizer: Any) -> None:
        self._model = described(model) | {"before": self._before, "state": []}
        self._described, self._optimizer = weak(model), weak(optimizer)

    def look(self, step: int) -> None:
        if not self._listens:
            self._loans.give_back()  # each call of a wrapper costs time
        if self._model and not self._model["state"]:
            self._model["state"] = kept(self._optimizer())
        self._compared.read(self.inspection.pending)
        if is_landmark(step):
            self._send()

    def forget(self) -> None:
        self._compared.forget()

    def finish(self) -> None:
        self._send()

    def _send(self) -> None:
        recorder = self.inspection.recorder
        phases = recorder.phases
        totals = sorted(phases.totals.items(), key=lambda item: -item[1][0])
        if self._model:
            types = {"activations": sorted(self._activations), "gradients": sorted(self._gradients)}
            model = self._model | self._logits | types | {"others": max(0, recorder.trained.models - 1)}
            recorder.channel.send("sheet", values={"model": model})
        recorder.channel.send(
            "sheet",
            values={
                "names": recorder.model_names,
                "batches": self._batches,
                "shapes": len(self._shapes),
                "different": self._compared.different,
                "compared": self._compared.times,
                "phases": {
                    name: {"seconds": round(total, 6), "times": times, "slowest_s": round(slowest, 6)}
                    for name, (total, times, slowest) in totals
                },
                "line_between": phases.line_between(),
                "peak_bytes": phases.peak_bytes,
                "peak_in": phases.peak_in,
                "traces": dict(self._compiled()),
                **{what: list(files)[:MOST] for what, files in self._files.items()},
                "files": {what: len(files) for what, files in self._files.items()},
            },
        )

    def _compiled(self) -> list[tuple[str, tuple[int, int]]]:
        """List compiled functions with their traces and calls, those called most first."""
        every = self.inspection.recorder.traces.items()
        counts = [(name, (sum(one.traces for one in made), sum(one.calls for one in made))) for name, made in every]
        return sorted(counts, key=lambda item: -item[1][1])[:MOST]


def named(array: Any) -> str:
    """Return the name of an array's type."""
    return str(array.dtype).rpartition(".")[2]


def kept(optimizer: Any) -> list[str]:
    """Name the types of what an optimizer keeps for the parameters."""
    state = [(path, one) for path, one in lazy_graph.named_leaves(static.state(optimizer)) if one.size]
    return sorted({named(one) for path, one in state if path.rpartition(".")[2] not in ("learning_rate", "step")})


def described(model: Any) -> dict[str, Any]:
    """Count a model's parameters, by kind of module and by type; a plain tree has no kinds."""
    arrays = lazy_graph.leaves(model.parameters() if static.is_module(model) else model)
    weights: dict[str, int] = {}
    for one in arrays:
        weights[named(one)] = weights.get(named(one), 0) + int(one.size)
    if not static.is_module(model):
        count = sum(weights.values())
        return {"parameters": count, "trainable": count, "weights": weights}
    kinds: dict[str, list[int]] = {}
    for path, module in model.named_modules():
        if path.startswith("_") or "._" in path:  # a child of the model, and none of its parameters
            continue
        statistics = STATISTICS if static.origin(module) == NORMALISATION else ()
        own = {key: held(one) for key, one in module.items() if not key.startswith("_") and key not in statistics}
        own = {key: arrays for key, arrays in own.items() if arrays}
        if own:
            counts = kinds.setdefault(type(module).__name__, [0, 0, 0])
            counts[0] += 1
            counts[1] += sum(elements(module, key, one) for key, arrays in own.items() for one in arrays)
            trainable = module.trainable_parameters()
            counts[2] += sum(int(one.size) for key, arrays in own.items() if key in trainable for one in arrays)
    largest = sorted(kinds.items(), key=lambda item: -item[1][1])[:KINDS]
    return {
        "parameters": sum(counts[1] for counts in kinds.values()),
        "trainable": sum(int(one.size) for one in lazy_graph.leaves(model.trainable_parameters())),
        "kinds": {name: dict(zip(("modules", "parameters", "trainable"), kind, strict=True)) for name, kind in largest},
        "adapters": low_rank(model),
        "weights": weights,
    }


def held(value: Any) -> list[Any]:
    """List the arrays that a module's attribute holds, in lists and dicts too, but none of another module."""
    if static.is_array(value):
        return [value]
    if static.is_module(value) or not static.is_a(value, (list, dict)):
        return []
    return [array for one in static.children(value) for array in held(one)]


def low_rank(model: Any) -> dict[str, int]:
    """Count what looks like an adapter, with rank and scale: factors that are trained beside a base that is not."""
    trainable = {path for path, _ in lazy_graph.named_leaves(model.trainable_parameters())}
    counts: dict[str, int] = {}
    for one in lora_detection.find(model):
        named = "lora" in f"{type(one.holder).__name__} {one.left.path}".lower()
        if named or (one.base.path not in trainable and {part.path for part in one.factors} <= trainable):
            scales = sorted(
                lora_detection.readings(lora_detection.named_scales(lora_detection.spaces(one.holder)), one.rank)
            )
            scale = f", scale {scales[0]:g}" if len(scales) == 1 else ""
            name = f"{type(one.holder).__name__}, rank {one.rank}{scale}"
            counts[name] = counts.get(name, 0) + 1
    return counts


def elements(module: Any, key: str, array: Any) -> int:
    """Return how many numbers an array holds: a quantised weight packs several into one."""
    bits = getattr(module, "bits", 0)
    return int(array.size) * 32 // bits if key == "weight" and bits and "int" in named(array) else int(array.size)
