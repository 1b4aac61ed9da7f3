"""The process that runs a batch: what one case breaks is not told of the next."""

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest

from mlxprobe.fuzz.child import main


@pytest.mark.parametrize("broken", [True, False])
def test_a_process_that_computes_nothing_any_more_ends_before_it_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    def raises(*_: Any) -> Any:
        raise RuntimeError("an illegal memory access was encountered")

    given, told = tmp_path / "given", tmp_path / "told"
    given.write_text(json.dumps([{"id": "first"}, {"id": "second"}]))
    monkeypatch.setattr(main, "measured", lambda *_: {"value": {"error": "RuntimeError: it broke"}})
    if broken:
        monkeypatch.setattr(mx, "ones", raises)
        with pytest.raises(SystemExit, match="nothing can be computed any more: an illegal memory access"):
            main.main([str(given), str(told)], lambda _: None)
    else:
        main.main([str(given), str(told)], lambda _: None)
    ids = [row["id"] for row in map(json.loads, told.read_text().splitlines()) if "id" in row]
    assert ids == ([] if broken else ["first", "second"])
