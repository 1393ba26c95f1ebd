"""The errors a user can act on, and the exit code each stands for; knows no command."""


class OrionError(Exception):
    """Something that could not be done: the thing, what was expected, what came, what to do."""

    exit_code = 1


class UsageError(OrionError):
    """A request that no files or devices could satisfy: an unknown name, a value out of range."""

    exit_code = 2
