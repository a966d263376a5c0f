"""Core AI: what needs Apple's packages is skipped where there is no wheel of them, and nowhere else."""

import platform
import sys

import pytest


def has_wheel():
    """Whether coreai-core 1.0.0b3 has a wheel for this computer."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 14):
        return False
    if sys.platform == "darwin":
        return platform.machine() == "arm64" and int(platform.mac_ver()[0].partition(".")[0]) >= 26
    libc, version = platform.libc_ver()
    return (
        sys.platform == "linux"
        and platform.machine() == "x86_64"
        and libc == "glibc"
        and tuple(map(int, version.split("."))) >= (2, 34)
    )


needs_coreai = pytest.mark.skipif(not has_wheel(), reason="coreai has no wheel for this computer")
