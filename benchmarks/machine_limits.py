"""The machine's limits, from a program that is compiled for it."""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_suffix(".cpp")
# Those of the kernels in CMakeLists.txt, whose equations are a part of it.
COMPILE = (
    *("g++", "-O3", "-march=native", "-std=c++20", "-ffp-contract=fast", "-fno-math-errno"),
    *("-pthread", "-DUNROLLED_ISA=native", f"-I{SOURCE.parents[1] / 'csrc'}", str(SOURCE)),
)


def machine_limits(threads: int) -> dict[str, Any]:
    """Most float32 operations a second, and bytes read a second, of so many threads.

    `private_cache_gbs` is read from 256 KiB a thread, `shared_cache_gbs` from 4 MiB a thread,
    `memory_gbs` from 256 MiB a thread; `private_cache_kib` is what as many cores have for
    themselves, absent where the system does not say.
    `units_per_us` is how many units the equations of our cells are computed for in a microsecond,
    forward and backward, on what lies in the first cache.

    Args:
        threads: that run beside each other.
    """
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "limits"
        subprocess.run([*COMPILE, "-o", str(program)], check=True)
        done = subprocess.run(
            [str(program), str(threads)], check=True, capture_output=True, text=True
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    print(json.dumps(machine_limits(2)))
