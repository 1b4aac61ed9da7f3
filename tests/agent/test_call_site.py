"""What a running function's variables are, read without a trace."""

import sys
import weakref
from collections.abc import Iterator
from typing import Any

from mlxprobe.agent.introspection import call_site


class Large:
    pass


def read() -> dict[str, Any]:
    return call_site.variables(sys._getframe(1))


def test_what_a_frame_is_asked_for_is_not_kept() -> None:
    one = Large()
    known = weakref.ref(one)
    assert read()["one"] is one
    del one
    assert known() is None


def has_its_own() -> tuple[dict[str, Any], list[str]]:
    mine = locals()
    one = 1
    return read(), [*mine] if one else []


def test_what_the_program_has_of_its_variables_stays_its_own() -> None:
    seen, mine = has_its_own()
    assert mine == []
    assert [*seen] == ([] if sys.version_info < (3, 13) else ["mine", "one"])


def test_a_generator_goes_on_with_its_variables() -> None:
    def counting() -> Iterator[int]:
        one = 1
        while True:
            yield one
            one += 1

    numbers = counting()
    assert next(numbers) == 1
    assert call_site.variables(numbers.gi_frame) == {"one": 1}  # type: ignore[attr-defined]
    assert next(numbers) == 2


def test_a_modules_variables_are_its_own() -> None:
    scope: dict[str, Any] = {"read": read, "weakref": weakref}
    exec(compile("one = 1\nfound = read()\nassert found['one'] == 1", "module", "exec"), scope)
    assert scope["one"] == 1 and scope["read"] is read
