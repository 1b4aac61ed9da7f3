"""What mlxprobe raises when it cannot do its own job; a watched program's failure is data instead."""


class ProbeError(Exception):
    """Say in one sentence what is wrong, where it came from and what would be right."""

    exit_code = 2


class UsageError(ProbeError):
    """A name, a value or a file that the user gave cannot be used."""


class MissingEnvironmentError(ProbeError):
    """The interpreter has no MLX that can be imported."""


class DiedImportingError(MissingEnvironmentError):
    """A signal ended the interpreter while it imported MLX."""


class NoWheelError(ProbeError):
    """The index has the release, and no wheel of it for this platform: the one reason to skip a release."""


class UnmetRequirementError(ProbeError):
    """The release installs, and not together with the packages that the project requires."""


class BrokenReleaseError(ProbeError):
    """The release installs, its files are intact, and `import mlx.core` fails: a defect of the release."""

    exit_code = 1
