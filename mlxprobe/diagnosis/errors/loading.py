"""Errors of loading: of weights, and of MLX itself."""

from __future__ import annotations

from mlxprobe.diagnosis.errors.row import Known

ROWS = (
    Known(
        "not-safetensors", "loading", r"\[load_safetensors\] Invalid json header length",
        "the file is no safetensors file, or not all of it",
        ("a git clone without LFS: the file is a pointer of a few lines",
         "a download that broke off, or the wrong file"),
        "look at its size; download it with huggingface_hub",
        ("kapi2800/qwen3-tts-apple-silicon#1", "mlalma/kokoro-ios#4", "ml-explore/mlx-lm#435"),
    ),
    Known(
        "load-header", "loading", r"\[load\] Invalid header in ",
        "mx.load took a file for another format than it is",
        ("an MLX that is older than the format of the file",),
        "upgrade MLX; see that this is the environment that you mean",
        ("ml-explore/mlx-examples#341", "ml-explore/mlx-examples#336"),
    ),
    Known(
        "extra-parameters", "loading", r"Received (?:\d+ )?parameters not in model",
        "the file has weights that the model has no place for (MP401)",
        ("weights quantised otherwise than the model that was built: names that end in scales and biases",
         "names under another prefix, as after a merge",
         "a library that is older than the model"),
        "quantise the model as the file was before loading; upgrade the library; strict=False hides it",
        ("Blaizzy/mlx-vlm#429", "ml-explore/mlx-lm#89", "ml-explore/mlx-lm#211", "Blaizzy/mlx-vlm#596"),
    ),
    Known(
        "missing-parameters", "loading", r"Missing (?:\d+ )?parameters: ?\n",
        "the model has parameters that the file has not (MP401)",
        ("a library whose model is not that of the file", "a part of a sharded file is not there"),
        "upgrade the library; look at the first names: strict=False would train from random values",
        ("Blaizzy/mlx-vlm#679",),
    ),
    Known(
        "libmlx-missing", "loading",
        r"libmlx\.so: cannot open shared object file|Library not loaded: @rpath/libmlx\.dylib",
        "MLX is installed without a backend",
        ("on Linux: plain `mlx`, without [cpu] or [cuda]",
         "the package with the library is of another release, or was left out"),
        "pip install \"mlx[cpu]\" or \"mlx[cuda]\" into a fresh environment; on a Mac reinstall mlx",
        ("ml-explore/mlx#2390", "ml-explore/mlx#2500", "ml-explore/mlx#2402", "exo-explore/exo#2156"),
    ),
    Known(
        "libmlx-of-another-release", "loading", r"Symbol not found: __ZNK?3mlx4core",
        "MLX's Python module and its library are not of the same release",
        ("two installations in one environment, by pip and by conda",),
        "a fresh environment with one MLX in it",
        ("ml-explore/mlx-examples#410",),
    ),
)  # fmt: skip
