"""Operators that no torch function becomes, in coremltools' own language."""

from . import programs_images, programs_numbers, programs_places, programs_steps

CASES = programs_numbers.CASES | programs_images.CASES | programs_places.CASES | programs_steps.CASES
