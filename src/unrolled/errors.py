"""Faults of the user's input that a command reports in one sentence."""


class UnrolledError(Exception):
    """What came, what was expected and what to do, in one sentence."""


class DataError(UnrolledError):
    """A data file cannot be read as asked; names the file and the line."""


class ModelError(UnrolledError):
    """A model cannot be built, loaded or saved; names the file or the key."""


class TrainingError(UnrolledError):
    """Training cannot start or go on; says what is kept and how to continue."""


class UsageError(UnrolledError):
    """A command or a call was given arguments that do not fit together."""
