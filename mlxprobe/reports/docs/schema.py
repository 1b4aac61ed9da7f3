"""The record's JSON Schema, and a page that reads it out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mlxprobe.reports.docs.inputs import Material
from mlxprobe.reports.docs.markdown import prose, table

FILE = "record.schema.json"
LIVE_FILE = "attach.schema.json"
SHARED = (
    "A field that has its default is left out. Names carry their units, "
    'and `"nan"`, `"inf"` and `"-inf"` are written for the numbers that JSON does not have. '
    "A reader needs only codes and names, never the texts of messages."
)
NOT_FINITE = {"enum": ["nan", "inf", "-inf"]}


def pages(material: Material) -> dict[str, str]:
    """Return the schemas and their pages."""
    schema, live = told(material.schema), told(material.live_schema, "mlxprobe attach")
    intro = (
        "`--format json` of `run` and `watch` writes a record; the committed baselines are records without their time "
        f"series. [{FILE}]({FILE}) is its JSON Schema. Times are seconds since the program's start. {SHARED}"
    )
    live_intro = (
        f"`mlxprobe attach --format json` writes this. [{LIVE_FILE}]({LIVE_FILE}) is its JSON Schema, "
        f"`live_schema_version` its version. Times are seconds since the look began. {SHARED}"
    )
    return {
        f"reference/{FILE}": json.dumps(schema, indent=2) + "\n",
        "reference/record.md": "\n".join(_page("Records", intro, schema)),
        f"reference/{LIVE_FILE}": json.dumps(live, indent=2) + "\n",
        "reference/attach.md": "\n".join(_page("What attach writes", live_intro, live)),
    }


def told(schema: dict[str, Any], title: str = "mlxprobe record") -> dict[str, Any]:
    """Return a JSON Schema as records are written: numbers that JSON does not have are words."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}
    return head | {key: _spoken(one) for key, one in schema.items()}


def _spoken(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get("type") == "number":
            return {"anyOf": [{"type": "number"}, NOT_FINITE]} | {k: v for k, v in value.items() if k != "type"}
        return {key: _spoken(one) for key, one in value.items()}
    return [_spoken(one) for one in value] if isinstance(value, list) else value


def _page(title: str, intro: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"# {title}\n"
    yield intro
    for name, kind in schema["$defs"].items():
        yield f"\n## {name}\n\n{prose(kind.get('description', ''))}\n"
        if "enum" in kind:
            yield "One of " + ", ".join(f"`{one}`" for one in kind["enum"]) + "."
            continue
        required = set(kind.get("required", ()))
        yield from table(
            ("field", "type", "default"),
            ((f"`{field}`", type_of(one), _default(field, one, required)) for field, one in kind["properties"].items()),
        )


def _default(field: str, one: dict[str, Any], required: set[str]) -> str:
    return "*required*" if field in required else f"`{json.dumps(one.get('default'))}`"


def type_of(one: dict[str, Any]) -> str:
    """Say in words what a field holds."""
    if "$ref" in one:
        name = one["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in one:
        kinds = [type_of(part) for part in one["anyOf"] if part != NOT_FINITE]
        return " or ".join(dict.fromkeys(kinds))
    if one["type"] == "array":
        if "prefixItems" in one:
            return f"list of {' and '.join(map(type_of, one['prefixItems']))}"
        return f"list of {type_of(one['items'])}"
    if one["type"] == "object":
        return f"object of {type_of(one['additionalProperties'])}"
    return str(one["type"])
