"""What mlxprobe raises when it cannot do its own job; a watched program's failure is data instead."""


class ProbeError(Exception):
    """Say in one sentence what is wrong, where it came from and what would be right."""


class UsageError(ProbeError):
    """A name, a value or a file that the user gave cannot be used."""


class MissingEnvironmentError(ProbeError):
    """The interpreter has no MLX that can be imported."""
