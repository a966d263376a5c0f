"""What computer this is: processor, last cache, memory. Read from the system, nothing run."""

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# Where the system does not say: more than most laptops have, so that "larger than the cache" holds.
FALLBACK_CACHE = 64 * 2**20


@dataclass(frozen=True)
class Machine:
    """This computer.

    Attributes
    ----------
    cpu : str
        The processor's name as the system gives it.
    cores : int
        That this process may use.
    last_cache : int
        Bytes of the largest cache between the cores and memory.
    cache_known : bool
        Whether the system told; if not, `last_cache` is a generous guess.
    """

    cpu: str
    cores: int
    last_cache: int
    cache_known: bool

    def __str__(self):
        guess = "" if self.cache_known else " (a guess)"
        return f"{self.cpu}, {self.cores} cores, last cache {self.last_cache / 2**20:.0f} MiB{guess}"


@cache
def machine():
    """Look this computer up.

    Returns
    -------
    Machine

    Examples
    --------
    >>> machine().cores >= 1
    True
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    size = _last_cache()
    return Machine(_cpu(), cores, size or FALLBACK_CACHE, size is not None)


def available_memory():
    """Bytes that a program can take now without others being written to disk; None if unknown."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    total = _sysctl("hw.memsize")  # macOS: what is free changes as it is asked for; half is safe
    return int(total) // 2 if total else None


def _cpu():
    name = _sysctl("machdep.cpu.brand_string")
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    return " ".join((name or platform.processor() or platform.machine()).split())


def _last_cache():
    sizes = []
    for size in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        text = size.read_text().strip()
        unit = {"K": 2**10, "M": 2**20, "G": 2**30}.get(text[-1:], 1)
        sizes.append(int(text.rstrip("KMG")) * unit)
    # Apple's cores share an L2 in clusters, the fast ones' being level 0; Intel Macs have an L3.
    for name in ("hw.l3cachesize", "hw.perflevel0.l2cachesize", "hw.l2cachesize"):
        if size := _sysctl(name):
            sizes.append(int(size))
    return max(sizes, default=0) or None


def _sysctl(name):
    if sys.platform != "darwin":
        return None
    found = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, check=False)
    return found.stdout.strip() or None
