"""Other weights for a trained network."""

import numpy as np

from .._optional import require
from ..compressed import as_array, check_type, shown

torch = require("torch", "the networks of toykit.models are torch modules")


def replaced(model, weights, owner):
    """The model, in which some tensors are replaced; the others stay as they are.

    `owner` is what errors call it. Nothing is replaced if a name or a shape is wrong.
    """
    check_type("weights", weights, dict, f"a dict of arrays by {owner}'s names")
    own, checked = model.state_dict(), {}
    for name, values in weights.items():
        if not isinstance(name, str) or name not in own:
            raise ValueError(
                f"weights names {shown(name)}, which {owner} has not; its tensors are {', '.join(own)}"
            )
        values = as_array(f"weights[{name!r}]", values)
        if values.shape != tuple(own[name].shape) or values.dtype.kind not in "fiub":
            raise ValueError(
                f"weights[{name!r}] must be numbers of shape {tuple(own[name].shape)}; "
                f"got {values.dtype} of {values.shape}"
            )
        checked[name] = torch.from_numpy(np.array(values, np.float32))
    model.load_state_dict(checked, strict=False)
    return model
