"""The ledger: what each weight of a model takes, now and after compression.

`ledgers` has the ledger itself; `view` shows it as a table or as bars, `reports` with predictions as lines, JSON, CSV
or a page. `sources` makes one: `modules` lists the weights of a torch module, `tensor_files` those of safetensors
and state dicts, `packages` and `rows` those of a Core ML package. Not here: what a single weight
becomes (`toykit.stored`).
"""

from .. import _lazy

__all__, __getattr__, __dir__ = _lazy.attach(__name__)
