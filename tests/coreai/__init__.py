"""Core AI: what needs Apple's packages is skipped where they cannot be had, and nowhere else."""

import pytest

from book._tools.core_ai_packages import absence

needs_coreai = pytest.mark.skipif(bool(absence()), reason=f"Core AI's packages cannot be had: {absence()}")
