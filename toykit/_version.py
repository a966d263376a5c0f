"""The version, for modules that `toykit` itself offers and that therefore cannot ask it."""

__version__ = "0.1.0"
