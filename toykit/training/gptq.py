"""Second-order compression: fix one column of weights, let the others make up for it.

A layer computes W x. Rounding every weight to the nearest code makes each weight's error small; what
counts is the error of the *output*, summed over the inputs x that really occur:

    |(W - Q) X|^2  =  trace (W - Q) H (W - Q)^T       with H = X X^T, one sum for all rows of W

Where two inputs always rise together, the error of one weight can be undone by the other. So go
through the columns in order. Quantize one; the output is now off by a known amount; move the columns
that are still free to where they cancel as much of it as they can. How far is a least-squares problem
with a closed answer (Hassibi and Stork's optimal brain surgeon): with C = H^-1 over the free columns,

    w_free  <-  w_free - (w_j - q_j) / C_jj * C_j,free

GPTQ's insight is that all rows share the order, hence H; and the rows of C that are needed, for
one column after the other, are the rows of one Cholesky factor: H^-1 = U^T U, U upper triangular.
Pruning is the same with q_j = 0 for the weights whose removal costs least, w_j^2 / C_jj (SparseGPT).

The calibration data has fewer directions than a wide layer has columns, so H is *damped*: a little
is added to its diagonal, which keeps the free weights near where they were.

References: Frantar, Ashkboos, Hoefler, Alistarh, "GPTQ: accurate post-training quantization for
generative pre-trained transformers", ICLR 2023. Frantar and Alistarh, "SparseGPT: massive language
models can be accurately pruned in one-shot", ICML 2023. Hassibi and Stork, "Second order derivatives for
network pruning: optimal brain surgeon", NeurIPS 1992.
"""

import torch

GROUP = 128  # columns compressed before the columns right of them hear of it, all at once


def inverse_factor(hessian, damping=0.01):
    """The upper triangular U with U^T U = (H + damping * mean(diag H) * I)^-1.

    Parameters
    ----------
    hessian : (n, n) tensor
        X X^T of the layer's inputs. It is not modified.
    damping : float

    Returns
    -------
    (n, n) tensor
        Row j, divided by U_jj, is how the columns from j on react to an error of 1 in column j.

    Raises
    ------
    ValueError
        If there is no curvature at all: every input was 0.
    """
    damped = hessian.clone()
    diagonal = damped.diagonal()
    silent = diagonal == 0  # an input that is always 0: its weights do not matter, nor does this
    if silent.all():
        raise ValueError("hessian is 0: every input of the calibration set was 0")
    diagonal[silent] = 1
    diagonal += damping * hessian.diagonal().mean()
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    return torch.linalg.cholesky(inverse, upper=True)


def compensate(weight, factor, rule):
    """Replace the columns of a matrix one after another, each time moving those to the right.

    Parameters
    ----------
    weight : (m, n) tensor
    factor : (n, n) tensor
        From `inverse_factor`.
    rule : callable
        ``rule(columns, cost, first)`` is asked for each group of columns, as they are by then: `cost`
        is the (1, k) price of an error of 1 in each, and `first` the index of the first. It returns
        a function ``replace(i, column) -> column`` for the group's columns.

    Returns
    -------
    (m, n) tensor
        Only values that `rule` gave.
    """
    weight, done = weight.clone(), torch.empty_like(weight)
    n = weight.shape[1]
    for first in range(0, n, GROUP):
        last = min(first + GROUP, n)
        group, u = weight[:, first:last], factor[first:last, first:last]
        replace = rule(group, (1 / u.diagonal().square())[None], first)
        errors = torch.empty_like(group)
        for i in range(last - first):
            column = replace(i, group[:, i])
            errors[:, i] = (group[:, i] - column) / u[i, i]
            done[:, first + i] = column
            group[:, i:] -= errors[:, i, None] * u[i, i:]
        weight[:, last:] -= errors @ factor[first:last, last:]
    return done


def quantize_columns(weight, hessian, scale, low, high, damping=0.01):
    """GPTQ: round each column to codes, and let the columns to its right make up for it.

    Parameters
    ----------
    weight : (m, n) tensor
    hessian : (n, n) tensor
    scale : (m, 1) tensor
        The worth of one step in each row.
    low, high : int
        The smallest and the largest code.
    damping : float

    Returns
    -------
    (m, n) int8 tensor
        Codes.

    Examples
    --------
    Two inputs that are always equal: what one weight loses, the other gains.

    >>> w, h = torch.tensor([[0.4, 0.4]]), torch.ones(2, 2)
    >>> quantize_columns(w, h, torch.ones(1, 1), -8, 7).tolist()         # rounding gives 0 and 0
    [[0, 1]]
    """

    def to_codes(columns):
        return (columns / scale).round().clamp(low, high)

    def rule(group, cost, first):
        return lambda i, column: to_codes(column[:, None])[:, 0] * scale[:, 0]

    done = compensate(weight, inverse_factor(hessian, damping), rule)
    return to_codes(done).to(torch.int8)


def prune_columns(weight, hessian, sparsity, damping=0.01):
    """SparseGPT: zero the weights that cost least, and let the others make up for it.

    Parameters
    ----------
    weight, hessian, damping
        As in `quantize_columns`.
    sparsity : float in [0, 1]
        Of each group of columns.

    Returns
    -------
    (m, n) tensor

    Examples
    --------
    >>> w, h = torch.tensor([[0.4, 0.5]]), torch.ones(2, 2)
    >>> [round(v, 1) for v in prune_columns(w, h, sparsity=0.5)[0].tolist()]    # the second does it all
    [0.0, 0.9]
    """

    def rule(group, cost, first):
        removed = round(sparsity * group.numel())
        order = (group.square() * cost).flatten().argsort()
        kept = torch.ones(group.numel(), dtype=torch.bool)
        kept[order[:removed]] = False
        kept = kept.reshape(group.shape)
        return lambda i, column: column * kept[:, i]

    return compensate(weight, inverse_factor(hessian, damping), rule)
