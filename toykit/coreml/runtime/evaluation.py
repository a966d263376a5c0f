"""How good a package is: the file itself is asked, not the network that it was made from."""

from .model import Model, load


def accuracy(package, dataset, metric, *, progress=None, **options):
    """Measure a package on a dataset.

    Parameters
    ----------
    package : str, Path, Package, coremltools.models.MLModel or Model
    dataset : iterable of (inputs, target)
        `inputs` is what `Model.predict` takes, `target` whatever `metric` compares the answer with.
        Where the package takes batches, an element is a batch.
    metric : callable (answers, targets) -> float
        Gets two lists of equal length: what the package answered, a dictionary each, and the targets.
    progress : callable (number of elements done), optional
    **options
        As for `load`.

    Returns
    -------
    float
        What `metric` returns.

    Raises
    ------
    TypeError
        If an element of the dataset is no pair.
    ValueError
        If the dataset is empty; and as `Model.predict` does.

    Examples
    --------
    >>> import numpy as np, torch, toykit as tk
    >>> sign = torch.nn.Sequential(torch.nn.Linear(1, 2), torch.nn.Softmax(-1))
    >>> _ = sign[0].weight.data.copy_(torch.tensor([[-9.0], [9.0]])), sign[0].bias.data.zero_()
    >>> package = tk.coreml.convert(sign, torch.zeros(1, 1))
    >>> def share_right(answers, targets):
    ...     labels = [np.argmax(next(iter(answer.values()))) for answer in answers]
    ...     return float(np.mean(np.array(labels) == targets))
    >>> name = next(iter(tk.coreml.load(package).inputs))
    >>> dataset = [({name: [[x]]}, int(x > 0)) for x in (-2.0, -1.0, 1.0, 3.0)]
    >>> tk.coreml.accuracy(package, dataset, share_right)
    1.0
    """
    model = package if isinstance(package, Model) else None
    if model is None:
        model = load(package, **options)
    elif options:
        raise TypeError(f"{', '.join(options)}: the model is loaded already, with {model!r}")
    answers, targets = [], []
    for element in dataset:
        try:
            inputs, target = element
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"dataset must give pairs (inputs, target); got {type(element).__name__}"
            ) from error
        answers.append(model.predict(inputs))
        targets.append(target)
        if progress is not None:
            progress(len(answers))
    if not answers:
        raise ValueError("dataset is empty")
    return metric(answers, targets)
