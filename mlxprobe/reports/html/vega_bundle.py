"""The charts' library: the Vega-Lite bundle that vl-convert carries, as one script."""

from __future__ import annotations

from functools import cache
from typing import Any

from mlxprobe.schema.errors import UsageError

HOW = "the HTML report needs the extra `report`: pip install 'mlxprobe[report]'"


@cache
def bundle() -> str:
    """Return the library; making it takes a second or two.

    Raises:
        UsageError: vl-convert is not installed; the sentence says how.
    """
    try:
        import vl_convert
    except ImportError:
        raise UsageError(HOW) from None
    javascript_bundle: Any = vl_convert.javascript_bundle  # its stub asks for more than it does
    return str(javascript_bundle())


def inlined(script: str) -> str:
    """Return a script that can stand inside an HTML element, whatever strings it holds."""
    return script.replace("\r\n", "\n").replace("</script", "<\\/script").replace("<!--", "<\\!--")
