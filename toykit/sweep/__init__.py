"""How small can this network get? Compress it in many ways and ask it each time.

A setting is a dictionary, the technique's name and its options: `{"technique": "palettize",
"bits": 4}`. A metric is a function from weights to numbers. `run` tries settings on a whole network,
`sensitivity` on one layer at a time; `pareto` keeps the settings that no other one beats; `choose`
spends a budget of bytes where they matter most; `decide` takes one candidate and says why not the
others. `tk.coreml.compress_layers` compresses a package by the choice.

    rows = tk.sweep.run(weights, tk.sweep.grid("palettize", bits=(1, 2, 3, 4)), metric)
"""

from .. import _lazy

__all__, __getattr__, __dir__ = _lazy.attach(__name__)
