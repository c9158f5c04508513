"""Shapes in signatures are checked while the tests run."""

import os
import warnings
from collections.abc import Iterator

import pytest
from hypothesis import settings
from jaxtyping import config, install_import_hook

settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

# Without a compiler the choice of an instruction set warns once, which is right and no failure.
from unrolled import kernels  # noqa: E402

if kernels.why_unavailable() and "UNROLLED_ISA" not in os.environ:
    with warnings.catch_warnings(action="ignore"):
        kernels.isa()

install_import_hook(["unrolled.nn", "unrolled.seq2seq"], "beartype.beartype")


@pytest.fixture
def as_users_call() -> Iterator[None]:
    """Without the checks of the tests, to hear what a user would hear of a wrong argument."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Two workers share two cores, and sums of one thread are the same everywhere."""
    import torch

    torch.set_num_threads(1)
