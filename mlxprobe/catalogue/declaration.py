"""How a scenario is declared: a file with `probe = Scenario(...)` and decorated training functions.

Standard library only: the watched process imports this beside MLX. The decorators only take notes; nothing
wraps the functions, so a body runs exactly as it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mlxprobe.schema.enums import Outcome, Role

Body = TypeVar("Body", bound=Callable[..., Any])
Expected = Outcome | Mapping[str, Outcome]


@dataclass(frozen=True)
class Variant:
    """One way of writing the loop: the function's name, its role, and what is claimed and measured."""

    name: str
    role: Role
    line: int
    summary: str = ""
    claims: Outcome | None = None
    says: str = ""
    document: str = ""
    expects: Expected = Outcome.PASS
    raises: str = ""
    finds: tuple[str, ...] = ()
    found_on: tuple[str, ...] = ()
    comparable: bool = True
    ranks: int = 0


@dataclass
class Scenario:
    """Declare the scenario of a file.

    Args:
        documents: file names of the reports whose claims it tests.
        tolerance: relative distance of loss path and result from the correct twin's that still counts as equal.
        slow_factor: median step time, as a multiple of the correct twin's, from which a variant is `slow`; 0 never.
        memory_factor: memory growth, as a multiple of the correct twin's, at which a variant is ended; 0 never.
        needs: devices it can run on; elsewhere its variants are skipped.
        ranks: processes that run each body together, unless a variant says otherwise: in a ring on the CPU, through
            NCCL on as many GPUs.
    """

    documents: Sequence[str] = ()
    tolerance: float = 1e-4
    slow_factor: float = 0.0
    memory_factor: float = 0.0
    needs: Sequence[str] = ()
    ranks: int = 1
    variants: list[Variant] = field(default_factory=list)
    bodies: dict[str, Callable[..., Any]] = field(default_factory=dict)
    scorer: Callable[..., float] | None = None

    def correct(self, body: Body) -> Body:
        """Mark the correct loop; every scenario has exactly one."""
        return self._note(Role.CORRECT)(body)

    def broken(self, *, expects: Expected, **notes: Any) -> Callable[[Body], Body]:
        """Mark a broken loop, with the outcome measured and, as `claims` and `says`, the document's.

        Where an error is expected, `raises` is a part of the exception's type or message. A loop that takes another
        number of steps than the correct one is not `comparable` with it. What it `finds` may need one of the conditions
        `found_on`, such as `gpu` or `mlx>=0.32`.
        """
        return self._note(Role.BROKEN, expects=expects, **notes)

    def documented_fix(self, *, expects: Expected = Outcome.PASS, **notes: Any) -> Callable[[Body], Body]:
        """Mark a document's own repaired code; its claim is `pass` unless said otherwise."""
        notes.setdefault("claims", Outcome.PASS)
        return self._note(Role.DOCUMENTED_FIX, expects=expects, **notes)

    def mitigation(self, *, expects: Expected = Outcome.PASS, **notes: Any) -> Callable[[Body], Body]:
        """Mark something that documents or users suggest, measured like the rest."""
        return self._note(Role.MITIGATION, expects=expects, **notes)

    def reference(self, body: Body) -> Body:
        """Mark an independent computation, in NumPy float64, of what the correct loop returns."""
        return self._note(Role.REFERENCE)(body)

    def score(self, scorer: Body) -> Body:
        """Mark the function that gives the true loss of what a body returned."""
        self.scorer = scorer
        return scorer

    def _note(self, role: Role, *, finds: Sequence[str] = (), **notes: Any) -> Callable[[Body], Body]:
        def note(body: Body) -> Body:
            summary = (body.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")
            self.bodies[body.__name__] = body
            self.variants.append(
                Variant(
                    name=body.__name__,
                    role=role,
                    line=body.__code__.co_firstlineno,
                    summary=" ".join(summary.split()),
                    finds=tuple(finds),
                    **notes,
                )
            )
            return body

        return note
