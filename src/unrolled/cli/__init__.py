"""The ``unrolled`` command. One file per command; nothing heavy is imported before it is needed."""

from ._main import main as main
