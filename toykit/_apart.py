"""What a stranger made, looked at in a process that is there for nothing else."""

import contextlib
import math
import os
import time
from pathlib import Path

ROOT = str(Path(__file__).parents[1])


def paths():
    """PYTHONPATH of a process that finds the toykit that is running, wherever it works."""
    given = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    return os.pathsep.join([ROOT, *map(os.path.abspath, given)])


def limit(memory, seconds):
    """Give this process no more memory and processor time than it has used by now, and this.

    Where the system has no such limits, whoever started the process must look at the clock.

    Parameters
    ----------
    memory : int
        Bytes.
    seconds : float
    """
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        used = math.ceil(time.process_time() + seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (used, used + 1))
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        bytes_ = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (bytes_, bytes_))
