"""What is wrong with a selection, before it is known where in the text it stands."""


class SelectionFault(Exception):  # noqa: N818  (it never reaches a user under this name)
    """One sentence; the reader of the expression adds the column and makes a `UsageError`."""
