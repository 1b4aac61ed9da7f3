"""Facts, by family: one type for each thing that the agent can see."""

FAMILIES = (
    *("adapters", "compilation", "data", "files", "gradients", "losses"),
    *("memory", "models", "processes", "ranks", "updates", "work"),
)
