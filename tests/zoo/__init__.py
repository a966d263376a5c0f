"""Packages that others made: from wheels that ship them, and written by other versions of coremltools."""
