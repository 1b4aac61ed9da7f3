"""Read MLX's drawing of a lazy graph: which arrays reach the loss, and through what."""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from functools import cached_property

NODE = re.compile(r'\n\{ (\d+) \[label ="([^"]*)"')
TAKES, MAKES = re.compile(r'\n"([^"]*)" -> (\d+)'), re.compile(r'\n(\d+) -> "([^"]*)"')
FUSED = {  # operations that GPUs have kernels for, as they are drawn elsewhere: names, kinds, and what each is given
    "CrossEntropy": (
        ("largest", "Max", ("0",)),
        ("constant", "StopGradient", ("largest",)),
        ("each", "Broadcast", ("constant",)),
        ("shifted", "Subtract", ("0", "each")),
        ("sum", "LogSumExp", ("shifted",)),
        ("total", "Squeeze", ("sum",)),
        ("ids", "ExpandDims", ("1",)),
        ("chosen", "GatherAxis", ("shifted", "ids")),
        ("score", "Squeeze", ("chosen",)),
        ("made", "Subtract", ("total", "score")),
    )
}
Parts = tuple[dict[str, str], dict[str, str], dict[str, list[str]]]
CARRIERS = {"Squeeze", "Reshape", "ExpandDims", "AsType", "Broadcast", "Flatten", "Unflatten", "StopGradient", "Copy"}
CARRIERS |= {"Contiguous", "Transpose", "Slice", "Negative"}
LAYERS = {"Matmul", "AddMM", "Convolution", "QuantizedMatmul", "GatherMM", "GatherQMM", "BlockMaskedMM"}
LAYERS |= {"ScaledDotProductAttention", "RMSNorm", "LayerNorm", "RoPE"}
SUMS = {"Add", "Subtract", "Negative", "AsType", "Copy", "Contiguous", "StopGradient"}
CHECKPOINTS = {"Depends", "CustomTransforms"}
UNKNOWN = -1
DEEPEST = 40


class LossGraph:
    """The operations behind the array called `loss`, back to the `named` ones. Operations have MLX's own names."""

    def __init__(self, dot: str, named: frozenset[str] = frozenset()) -> None:
        self._kind, self._maker, self._inputs = taken_apart(dot)
        self._made = {tensor: self._kind.get(node, "") for tensor, node in self._maker.items()}
        self._before = {tensor: self._inputs.get(node, []) for tensor, node in self._maker.items()}
        self._named = named
        self._behind = self._ancestors("loss")

    @property
    def operations(self) -> int:
        """How many operations were drawn."""
        return len(self._kind)

    @property
    def found(self) -> bool:
        """Whether the loss was still to be computed."""
        return "loss" in self._maker

    def reaches(self, name: str) -> bool:
        """Tell whether an array takes part in the loss."""
        return name in self._behind

    def named_behind(self, name: str) -> set[str]:
        """Return the named arrays, but itself, that an array is computed from."""
        return self._ancestors(*self._sources(name)) & self._named - {name}

    def weighs(self, name: str, others: set[str], *, anywhere: bool = False) -> bool:
        """Tell whether an array is a layer's weight, or `anywhere`, and another input there knows any of `others`."""
        for node, sources in self._inputs.items():
            if (anywhere or self._kind.get(node) in LAYERS) and any(self._carried(one) == name for one in sources):
                rest = [one for one in sources if self._carried(one) != name]
                if any(one in self._behind and self._ancestors(one) & others for one in rest):
                    return True
        return False

    def leads(self, name: str, weights: set[str]) -> bool:
        """Tell whether what an array makes is given to a layer, or a factor, of one of these weights."""
        for node, sources in self._inputs.items():
            if self._kind.get(node) in LAYERS and any(self._carried(one) in weights for one in sources):
                rest = [one for one in sources if self._carried(one) not in weights]
                if any(one in self._behind and name in self._ancestors(one) for one in rest):
                    return True
        return False

    def uses(self) -> int:
        """Count the operations that take a named array, of the one with fewest: how often a model has been run."""
        taken = [one for inputs in self._inputs.values() for one in set(inputs) & self._named]
        return min(map(taken.count, taken), default=0)

    def drops(self) -> bool:
        """Tell whether an activation is multiplied by random numbers: one side knows the named arrays, one does not."""
        for tensor in self._behind:
            sources = self._sources(tensor)
            if self._made.get(tensor) == "Multiply" and len(sources) == 2:
                behind = [self._ancestors(one) for one in sources]
                known = [bool(one & self._named) for one in behind]
                drawn = [any(self._made.get(source) == "RandomBits" for source in one) for one in behind]
                if (known[0] and drawn[1] and not known[1]) or (known[1] and drawn[0] and not known[0]):
                    return True
        return False

    def is_table(self, name: str) -> bool:
        """Tell whether rows of an array are taken, as of an embedding."""
        return name in {self._carried(self._sources(one)[0]) for one in self._behind if self._made.get(one) == "Gather"}

    def operation(self, name: str) -> str:
        """Name the operation that is to make an array, past copies and checkpoints; empty where there is none."""
        return "" if (made := self._made_by(name)) in CHECKPOINTS else made

    def is_filled(self, name: str) -> bool:
        """Tell whether an array is filled with a constant, as MLX fills the gradient of what does not reach a loss."""
        maker = self._maker.get(name, "")
        if self._kind.get(maker) != "Full":
            return False
        (source,) = self._inputs.get(maker, [""])
        if self._made.get(source) == "Broadcast":
            (source,) = self._sources(source)
        return bool(source) and source not in self._maker and source not in self._named

    def longest(self) -> int:
        """Count the operations of the longest chain."""
        depth: dict[str, int] = {}
        for start in self._inputs:
            waiting = [start]
            while waiting:
                node = waiting[-1]
                before = [self._maker[one] for one in self._inputs.get(node, []) if one in self._maker]
                unknown = [one for one in before if one not in depth]
                if unknown:
                    waiting += unknown
                else:
                    depth[waiting.pop()] = 1 + max((depth[one] for one in before), default=0)
        return max(depth.values(), default=0)

    def into_layers(self) -> set[str]:
        """Name the arrays that layers are given, or what these are computed from."""
        return self._ancestors(*filter(self._is_layer, self._behind)) & self._named

    def _ancestors(self, *tensors: str) -> set[str]:
        seen, waiting, before = set(tensors), list(tensors), self._before
        while waiting:
            tensor = waiting.pop()
            if tensor not in self._named:
                fresh = [one for one in before.get(tensor, ()) if one not in seen]
                seen.update(fresh)
                waiting += fresh
        return seen

    def _sources(self, tensor: str) -> list[str]:
        return self._before.get(tensor, [])

    def _made_by(self, tensor: str) -> str:
        """Name the operation that made an array, looking through what only carries it on."""
        return self._made.get(self._carried(tensor), "")

    def _carried(self, tensor: str) -> str:
        for _ in range(DEEPEST):
            maker = self._maker.get(tensor, "")
            named = tensor in self._named
            if named or not self._inputs.get(maker) or not (self._kind.get(maker) in CARRIERS or self._is_tap(maker)):
                return tensor
            tensor = self._inputs[maker][0]
        return tensor

    def _is_tap(self, maker: str) -> bool:
        """Tell whether an operation is an identity with a gradient of its own: it is given what it returns."""
        first, *others = self._inputs[maker]
        held = [one for one in others if self._inputs.get(self._maker.get(one, "")) == [first]]
        return self._kind.get(maker) == "CustomTransforms" and len(others) == 1 and held == others

    def past_layers(self) -> set[str]:
        """Name the arrays that reach the loss on a way without any layer: what outputs are compared with."""
        return self._near & self._named

    @cached_property
    def _near(self) -> set[str]:
        seen, waiting = {"loss"}, ["loss"]
        while waiting:
            tensor = waiting.pop()
            sources = [] if tensor in self._named or self._is_layer(tensor) else self._sources(tensor)
            waiting += [one for one in sources if one not in seen]
            seen.update(sources)
        return seen

    def enters_layer(self, name: str) -> bool:
        """Tell whether a layer is given what is computed from a named array."""
        return any(map(self._is_layer, self._onward([name]) - {name}))

    def _onward(self, names: Iterable[str], without: Set[str] = frozenset()) -> set[str]:
        """Return some arrays and all that is computed from them on the way to the loss, `without` some others."""
        made: dict[str, list[str]] = {}  # by an array, what is computed right from it
        for tensor in self._behind - without:
            for one in self._sources(tensor):
                made.setdefault(one, []).append(tensor)
        waiting = list(names)
        seen = set(waiting)
        while waiting:
            fresh = [one for one in made.get(waiting.pop(), []) if one not in seen]
            seen.update(fresh)
            waiting += fresh
        return seen

    def met_first(self, name: str) -> set[str]:
        """Name what the first layers behind a named array are given beside it."""
        layers = {tensor for tensor in self._behind if self._is_layer(tensor)}
        before = self._onward([name], layers)
        taken = [{*self._sources(tensor)} for tensor in layers if before & {*self._sources(tensor)}]
        return {self._carried(one) for sources in taken for one in sources - before}

    def cancels(self, one: str, other: str) -> bool:
        """Tell whether two arrays are taken from one another, place by place, where a layer's output is added."""
        (more, less), (plus, minus) = self._signed(one), self._signed(other)
        return any(map(self._is_layer, self._ancestors(*(more & minus | less & plus))))

    def adds_last(self, bias: str, outputs: set[str]) -> bool:
        """Tell whether a bias is added to just these outputs, and to nothing else."""
        sums = [one for one in self._behind if self._made.get(one) in ("Add", "AddMM")]
        added = {one for one in sums if any(self._carried(source) == bias for source in self._sources(one))}
        return bool(added) and added == set(map(self._carried, outputs))

    def _signed(self, name: str) -> tuple[set[str], set[str]]:
        """Return the sums that an array is added to, just as it is, and those that it is taken from."""
        seen, waiting = {(name, False)}, [(name, False)]
        while waiting:
            tensor, taken = waiting.pop()
            for made in [one for one in self._behind if tensor in self._sources(one)]:
                kind, sources = self._made.get(made, ""), self._sources(made)
                turned = kind == "Negative" or (kind == "Subtract" and sources[0] != tensor)
                if kind in SUMS and (made, taken != turned) not in seen:
                    seen.add((made, taken != turned))
                    waiting.append((made, taken != turned))
        return {one for one, taken in seen if not taken}, {one for one, taken in seen if taken}

    def indices(self) -> set[str]:
        """Name the arrays that choose among computed values, such as class labels among logits."""
        return {
            carried
            for tensor in self._behind
            if self._made.get(tensor) in ("Gather", "GatherAxis") and not self._is_layer(tensor)
            for carried in map(self._carried, self._sources(tensor)[1:])
            if carried in self._named
        }

    def _is_layer(self, tensor: str) -> bool:
        """Tell whether a layer made an array; rows of a table are an embedding's, those of computed values are not."""
        kind = self._made.get(tensor)
        return kind in LAYERS or (kind == "Gather" and self._carried(self._before[tensor][0]) not in self._maker)

    def scalings(self) -> int:
        """Count by how many factors the loss was scaled since its last sum; `UNKNOWN` where that cannot be read."""
        return self._scalings("loss", DEEPEST)

    def _scalings(self, tensor: str, left: int) -> int:
        tensor = self._carried(tensor)
        kind, sources = self._made_by(tensor), self._sources(tensor)
        if kind in ("Sum", "Mean", "Reduce"):
            return 0
        if not left or len(sources) != 2 or kind not in ("Multiply", "Divide", "Add", "Subtract"):
            return UNKNOWN
        behind = [self._scalings(one, left - 1) for one in sources]
        known = [one for one in behind if one != UNKNOWN]
        if kind in ("Multiply", "Divide"):
            return 1 + known[0] if known else UNKNOWN
        return min(known) if known else UNKNOWN


def taken_apart(dot: str) -> Parts:
    """Return the kind of each operation, the operation that makes each array, and the arrays that each is given.

    What a GPU's kernel does in one is spelled out as it is drawn where there is no such kernel.
    """
    kinds: dict[str, str] = dict(NODE.findall(dot))
    makers: dict[str, str] = {tensor: node for node, tensor in MAKES.findall(dot)}
    inputs: dict[str, list[str]] = {}
    for tensor, node in TAKES.findall(dot):
        inputs.setdefault(node, []).append(tensor)
    for kind in FUSED:
        if f'"{kind}"' in dot:
            _spell_out(kind, kinds, makers, inputs)
    return kinds, makers, inputs


def _spell_out(kind: str, kinds: dict[str, str], makers: dict[str, str], inputs: dict[str, list[str]]) -> None:
    results = {node: tensor for tensor, node in makers.items() if kinds.get(node) == kind}
    for node, result in results.items():
        given = {str(k): one for k, one in enumerate(inputs.pop(node, []))}
        for name, what, sources in FUSED[kind]:
            step = f"{node}.{name}"
            kinds[step], makers[given.setdefault(name, step)] = what, step
            inputs[step] = [given[one] for one in sources if one in given]
        makers[result] = f"{node}.made"
        del kinds[node]
