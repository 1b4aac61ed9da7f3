"""MkDocs: put the pages that a folder's nav.json names in the place of the folder."""

import json
from pathlib import Path


def on_config(config):
    """Fill in the navigation."""
    for entry in config.nav:
        ((title, place),) = entry.items()
        if place.endswith("/"):
            told = json.loads((Path(config.docs_dir) / place / "nav.json").read_text(encoding="utf-8"))
            entry[title] = below(place, told)
    return config


def below(folder, told):
    """Put a folder before every path of a navigation."""
    if isinstance(told, str):
        return folder + told
    if isinstance(told, list):
        return [below(folder, one) for one in told]
    return {title: below(folder, one) for title, one in told.items()}
