"""What kind of a loss a graph is: how it compares, and whether its log-softmax was built by hand."""

from __future__ import annotations

from mlxprobe.agent.graph.dataflow import CARRIERS, DEEPEST, LossGraph

PLACEWISE = {"Add", "Subtract", "Multiply", "Divide", "Exp", "Maximum", "Minimum", "Select", "Softmax"}
PICKS = {"GatherAxis", "Scatter", "ScatterAxis"}
SHAPED = CARRIERS - {"Slice", "Negative"}  # each number is what it was
BOUNDED = {"Sigmoid", "Softmax", "Tanh", "ReLU"}
SQUASHES = {"LogSumExp": "Softmax", "LogAddExp": "Sigmoid"}  # by what a loss of logits takes of them


class LossKind(LossGraph):
    """A drawn loss that is asked what it is made of."""

    def compares(self, *, classes: bool) -> str:
        """Say how outputs are compared: by the logarithm of `classes`, or the `square` of what they are off."""
        kinds = {self._made.get(one) for one in self._near}
        if classes:
            return "classes" if "LogSumExp" in kinds or self.hand_written() else ""
        return "square" if "Square" in kinds or any(map(self._is_squared, self._near)) else ""

    def _is_squared(self, tensor: str) -> bool:
        """Tell whether a difference is raised to a constant power: to 2, as `** 2` is drawn."""
        sources = self._sources(tensor) if self._made.get(tensor) == "Power" else []
        constant = bool(sources) and self._carried(sources[-1]) not in self._maker
        return constant and self._made_by(sources[0]) == "Subtract"

    def is_single(self) -> bool:
        """Tell whether a loss is the scaled sum of one comparison: no weight decay, no second head is added."""
        tensor = "loss"
        for _ in range(DEEPEST):
            tensor = self._carried(tensor)
            kind, sources = self._made.get(tensor, ""), self._sources(tensor)
            if kind in ("Sum", "Mean", "Reduce"):
                comparisons = [self._made.get(one) for one in self._near]
                return comparisons.count("LogSumExp") + comparisons.count("LogAddExp") <= 1
            computed = [one for one in sources if any(map(self._is_layer, self._ancestors(one)))]
            if kind not in ("Multiply", "Divide") or len(computed) != 1:
                return False
            (tensor,) = computed
        return False

    def weighs_itself(self) -> bool:
        """Tell whether what layers made is multiplied by a detached value of theirs: such a loss need not fall."""
        products = [
            sources
            for tensor in self._near
            if self._made.get(tensor) == "Multiply"
            if any(map(self._is_detached, sources := self._sources(tensor)))
        ]
        known = self._onward(filter(self._is_layer, self._behind), self._named) if products else set()
        return any(map(known.issuperset, products))

    def _is_detached(self, tensor: str) -> bool:
        for _ in range(DEEPEST):
            kind = self._made.get(tensor)
            if kind not in CARRIERS or kind == "StopGradient":
                return kind == "StopGradient"
            tensor = self._sources(tensor)[0]
        return False

    def squashed(self) -> tuple[str, str]:
        """Name the softmax or sigmoid that a loss of logits takes a second time, and the first one's result."""
        for tensor in self._near:
            wanted = SQUASHES.get(self._made.get(tensor, ""))
            for one in self._sources(tensor) if wanted else ():
                shifted = self._made_by(one) == "Subtract"  # by the maximum
                inner = self._sources(self._carried(one))[0] if shifted else one
                if self._made_by(inner) == wanted:
                    return str(wanted).lower(), self._carried(inner)
        return "", ""

    def bounded(self) -> list[tuple[str, str, str]]:
        """List what a squared or absolute error holds against a named array: the activation, that array, its result.

        Nothing weighs, or chooses among, the errors.
        """
        found = []
        for tensor in self._near:
            pair = [self._shaped(one) for one in self._sources(tensor)] if self._made.get(tensor) == "Subtract" else []
            for output, target in (pair, pair[::-1]) if len(pair) == len({*pair}) > 1 else ():
                made = self._shaped(output, "Slice")
                kind = "ReLU" if made[:1] == "r" else self._made.get(made, "")  # by its name: no graph has the zero
                if kind in BOUNDED and target in self._named and self._is_error(tensor):
                    found.append((kind, target, made))
        return found

    def _shaped(self, tensor: str, *more: str) -> str:
        for _ in range(DEEPEST):
            if tensor in self._named or self._made.get(tensor) not in SHAPED.union(more) or tensor[:1] == "r":
                break
            tensor = self._sources(tensor)[0]
        return tensor

    def _is_error(self, difference: str) -> bool:
        """Tell whether a difference is squared, or its size taken, and every one then counts alike."""
        onward = self._onward([difference])
        users = {one: self._sources(one) for one in onward if difference in map(self._shaped, self._sources(one))}
        measured = [one for one in users if self._made.get(one) in ("Square", "Abs") or self._is_squared(one)]
        weighed = [
            self._ancestors(source) & self._named
            for one in onward - {difference}
            if self._made.get(one) in ("Multiply", "Divide", "Select", "Gather", "GatherAxis")
            for source in self._sources(one)
            if source not in onward
        ]
        return bool(measured) and not any(weighed)

    def is_likelihood(self, tensor: str = "loss", left: int = DEEPEST) -> bool:
        """Tell whether an array is a softmax, or a choice or a multiple of one: no logarithm was taken since."""
        kind, sources = self._made.get(tensor, ""), self._sources(tensor)
        if kind == "Softmax":
            return True
        if kind == "Divide" and self._made_by(sources[0]) == "Exp":
            total = self._carried(sources[1])
            return self._made_by(total) in ("Sum", "Reduce") and self._made_by(self._sources(total)[0]) == "Exp"
        if not left or not sources or kind == "Negative":
            return False
        scaled = kind in ("Multiply", "Divide") and self._carried(sources[1]) not in self._maker
        onward = sources[1:] if kind == "Select" else sources[:1] if kind in CARRIERS | {"Gather"} or scaled else []
        return any(self.is_likelihood(one, left - 1) for one in onward)

    def weighs_across(self, name: str) -> bool:
        """Tell whether a softmax, used but once, is the first factor of a product, and made of such a one itself.

        A product sums along the last axis of its first factor. What is divided by a sum of its own, before the product
        or after it, is used twice.
        """
        tensor, left = name, DEEPEST
        while left:
            users = [node for node, sources in self._inputs.items() if tensor in sources]
            kind = self._kind.get(users[0], "") if len(users) == 1 else ""
            if kind == "Matmul":
                return self._inputs[users[0]][0] == tensor and self._is_scored(name)
            if kind not in ("AsType", "Copy", "Contiguous", "Multiply"):
                return False
            (tensor, *_), left = [one for one, node in self._maker.items() if node == users[0]], left - 1
        return False

    def _is_scored(self, tensor: str) -> bool:
        """Tell whether an array is computed, place by place, from a product of two arrays that are computed too."""
        waiting = [tensor]
        for _ in range(DEEPEST):
            one = self._carried(waiting.pop(0)) if waiting else ""
            kind, sources = self._made_by(one), self._sources(one)
            if kind == "Matmul":
                return all(self._carried(each) in self._maker for each in sources)
            waiting += sources if kind in PLACEWISE else []
        return False

    def less(self, name: str) -> str:
        """Name the array that is taken from something computed to give another; empty where it is none of the named."""
        sources = self._sources(self._carried(name)) if self._made_by(name) == "Subtract" else []
        computed = len(sources) > 1 and self._carried(sources[0]) in self._maker
        taken = sources[1] if computed else ""
        for _ in range(DEEPEST):
            if taken in self._named or self._made.get(taken) not in CARRIERS:
                break
            taken = self._sources(taken)[0]
        return taken if taken in self._named else ""

    def hand_written(self) -> str:
        """Name the log-softmax that was built by hand: `unstable`, `stable`, `of a softmax`, or empty for none."""
        found = ""
        for tensor in self._behind:
            if self._made.get(tensor) != "Log":
                continue
            kind = self._log_of(self._sources(tensor)[0])
            found = kind if kind == "unstable" or not found else found
        return found

    def picks_largest(self) -> bool:
        """Tell whether a loss of log-probabilities picks them by ids that are where the largest of something is."""
        near = self._near
        kinds = {self._made.get(one) for one in near}
        picked = [one for one in near if self._made.get(one) in ("Gather", "GatherAxis")]
        ids = [source for one in picked for source in self._sources(one)[1:]]
        return bool(kinds & {"LogSumExp", "Softmax"}) and any(self._made_by(one) == "ArgReduce" for one in ids)

    def label_free(self, integers: set[str]) -> bool:
        """Tell whether a loss of log-probabilities sees the named ids in what these are made of alone.

        Each use chooses rows of a table that the probabilities are computed from; and nothing chooses among what is
        computed: rows that come in later may be one-hot, or the weights of classes.
        """
        tensors = {tensor: self._made[tensor] for tensor in self._behind if tensor in self._made}
        if not (self.hand_written() or "LogSumExp" in tensors.values()) or PICKS & set(tensors.values()):
            return False
        logs = [tensor for tensor, kind in tensors.items() if kind in ("LogSumExp", "Log")]
        within = self._ancestors(*(one for tensor in logs for one in self._sources(tensor)))
        if any(kind == "Gather" and self._carried(self._sources(one)[0]) in tensors for one, kind in tensors.items()):
            return False
        uses = [
            tensor
            for tensor, kind in tensors.items()
            if kind not in CARRIERS and any(self._carried(one) in integers for one in self._sources(tensor))
        ]
        return bool(uses) and all(tensors[one] == "Gather" and one in within for one in uses)

    def _log_of(self, tensor: str) -> str:
        """Tell what the logarithm is of: a sum of exponentials, or a softmax."""
        tensor = self._past_constants(tensor)
        kind, sources = self._made_by(tensor), self._sources(self._carried(tensor))
        if kind == "Softmax":
            return "of a softmax"
        if kind == "GatherAxis":
            return self._log_of(sources[0])
        if kind == "Divide" and self._made_by(sources[0]) == "Exp":
            return self._stability(sources[0])
        if kind in ("Sum", "Reduce") and self._made_by(self._past_constants(sources[0])) == "Exp":
            return self._stability(self._past_constants(sources[0]))
        return ""

    def _past_constants(self, tensor: str) -> str:
        """Look through a constant that is added, such as an epsilon."""
        carried = self._carried(tensor)
        sources = self._sources(carried)
        if self._made_by(carried) in ("Add", "Maximum") and len(sources) == 2:
            computed = [one for one in sources if self._carried(one) in self._maker]
            return computed[0] if len(computed) == 1 else tensor
        return tensor

    def _stability(self, exponential: str) -> str:
        inner = self._sources(self._carried(exponential))
        shifted = bool(inner) and self._made_by(inner[0]) == "Subtract"
        return "stable" if shifted else "unstable"
