"""What is written and read again: arrays in files of every kind, and functions; see `ways`."""

from __future__ import annotations

import tempfile
from typing import Any

import mlx.core as mx

from mlxprobe.fuzz.child.higher_order import WAYS, way

__all__ = ["WAYS"]


@way("save")
def saved(a: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        mx.save(f"{folder}/a.npy", a)
        found = mx.load(f"{folder}/a.npy")
        mx.eval(found)
    return found


@way("savez")
def saved_several(a: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        mx.savez(f"{folder}/a.npz", a=a)
        found = mx.load(f"{folder}/a.npz")["a"]
        mx.eval(found)
    return found


@way("savez_compressed")
def saved_compressed(a: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        mx.savez_compressed(f"{folder}/a.npz", a=a)
        found = mx.load(f"{folder}/a.npz")["a"]
        mx.eval(found)
    return found


@way("save_safetensors")
def saved_safely(a: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        mx.save_safetensors(f"{folder}/a.safetensors", {"a": a})
        found = mx.load(f"{folder}/a.safetensors")["a"]
        mx.eval(found)
    return found


@way("save_gguf")
def saved_gguf(a: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        mx.save_gguf(f"{folder}/a.gguf", {"a": a})
        found = mx.load(f"{folder}/a.gguf")["a"]
        mx.eval(found)
    return found


@way("export_function")
def exported(a: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        mx.export_function(f"{folder}/f.mlxfn", lambda x: x * mx.sin(x), a)
        found = mx.import_function(f"{folder}/f.mlxfn")(a)
        mx.eval(found)
    return found


@way("exporter")
def exported_traces(a: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        with mx.exporter(f"{folder}/f.mlxfn", lambda x: x * mx.sin(x)) as traced:
            traced(a)
            traced(mx.stack([a, a]))
        found = mx.import_function(f"{folder}/f.mlxfn")(a)
        mx.eval(found)
    return found
