import os
import platform
import subprocess
import sys

import pytest

from kerasgan import backends

PROGRAM = """
import resource
import kerasgan
from keras import ops
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
x = ops.ones((5000, 4000))
for _ in range(16):
    before = faults()
    float((x + 1)[0, 0])  # the sum takes 80 MB, which is 19,500 pages
print(faults() - before)
"""


@pytest.mark.skipif(
    backends.name != "jax" or platform.libc_ver()[0] != "glibc", reason="JAX asks GNU's C library for its buffers"
)
@pytest.mark.parametrize("kept", [True, False])
def test_the_memory_of_a_step_serves_the_next(kept):
    environment = {**os.environ, "KERASGAN_KEEP_MEMORY": str(int(kept))}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    assert (int(done.stdout) < 2000) == kept
