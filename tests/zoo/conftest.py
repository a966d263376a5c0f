"""Settings of the zoo's tests."""

# It runs in the environments of other versions of coremltools, and imports its neighbour as they do.
collect_ignore = ["write_fixtures.py"]
