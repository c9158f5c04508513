"""Small layers run on as many threads as a test asks for, as large ones do."""

from collections.abc import Iterator

import pytest

from unrolled.kernels._isa import native


@pytest.fixture(autouse=True, scope="module")
def _threads_for_small_runs_too() -> Iterator[None]:
    module = native()
    with pytest.MonkeyPatch.context() as patch:
        if module is not None:
            for name in ("useful_threads", "useful_threads_of_a_step"):
                patch.setattr(module.Stack, name, lambda _, count, threads: threads)
        yield
