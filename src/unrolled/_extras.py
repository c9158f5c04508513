"""What is not installed, and the extra that brings it."""

from importlib.util import find_spec


def how_to_install(extra: str) -> str:
    """The end of a sentence about a missing package: what to type, and where.

    Args:
        extra: of unrolled, such as `"torch"`.
    """
    return f'install the extra "{extra}": pip install ".[{extra}]" in a clone of unrolled'


def require(part: str, extra: str, *packages: str) -> None:
    """Refuse to import a part of unrolled in one sentence, before an import fails deep inside it.

    Args:
        part: what is imported, such as `"unrolled.nn"`.
        extra: that brings the packages.
        packages: that the part cannot do without.

    Raises:
        ModuleNotFoundError: one of them is not installed; its name is the first such.
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise ModuleNotFoundError(
            f"{part} needs {' and '.join(missing)}, which {verb} not installed; "
            f"{how_to_install(extra)}",
            name=missing[0],
        )
