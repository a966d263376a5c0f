"""The straight-through estimator: a derivative for functions that have none worth having.

Rounding is a staircase. Its derivative is zero on every step and does not exist at the edges, so the
gradient of anything computed from a rounded weight is zero, and training stands still. Bengio,
Leonard and Courville's way out is to be inconsistent on purpose:

    forward      y = round(x)                 what will run on the device
    backward     dL/dx = dL/dy                as if y = x had been computed

The line y = x is the *surrogate*: a function close to the staircase that has a slope. Where the
staircase ends (a code cannot leave its range) the honest surrogate is `clamp`, whose slope is zero
beyond the ends: a clipped weight gets no gradient.

Reference: Bengio, Leonard, Courville, "Estimating or propagating gradients through stochastic neurons
for conditional computation", arXiv:1308.3432, 2013.
"""

import torch

from ..compressed import check_int, check_number, shown

_CODES = range(-(2**31), 2**31)


class StraightThrough(torch.autograd.Function):
    """Compute one function forward and another one's gradient backward.

    Call it as ``StraightThrough.apply(x, function, surrogate)``. Both functions take one tensor and
    return one tensor of a common shape. The surrogate is evaluated in the backward pass only.

    Examples
    --------
    >>> x = torch.tensor([-1.4, 0.3, 2.6], requires_grad=True)
    >>> y = StraightThrough.apply(x, torch.round, lambda x: x.clamp(-2, 2))
    >>> y.sum().backward()
    >>> y.tolist(), x.grad.tolist()
    ([-1.0, 0.0, 3.0], [1.0, 1.0, 0.0])
    """

    @staticmethod
    def forward(ctx, x, function, surrogate):
        ctx.save_for_backward(x)
        ctx.surrogate = surrogate
        return function(x)

    @staticmethod
    def backward(ctx, *gradients):
        (x,) = ctx.saved_tensors
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            (through,) = torch.autograd.grad(ctx.surrogate(x), x, gradients)
        return through, None, None


class _Unchanged(torch.autograd.Function):
    # The surrogate is y = x: what StraightThrough.apply(x, ..., lambda x: x) does, without storing x.
    @staticmethod
    def backward(ctx, *gradients):
        return gradients


class _Round(_Unchanged):
    @staticmethod
    def forward(ctx, x):
        return torch.round(x)


def round_through(x):
    """Round to the nearest whole number (halves to even); the gradient passes unchanged.

    Examples
    --------
    >>> x = torch.tensor([0.5, 1.2], requires_grad=True)
    >>> round_through(x).sum().backward()
    >>> x.grad.tolist()
    [1.0, 1.0]
    """
    return _Round.apply(_check_tensor("x", x))


def _check_tensor(name, x):
    if not isinstance(x, torch.Tensor) or not x.is_floating_point() or x.layout != torch.strided:
        raise TypeError(f"{name} must be a dense tensor of floating-point numbers; got {shown(x)}")
    return x


def _check_factor(name, value, x):
    """A number, or a tensor that broadcasts to x."""
    if not isinstance(value, torch.Tensor):
        return check_number(name, value)
    if value.is_complex() or value.layout != torch.strided or value.device != x.device:
        raise TypeError(f"{name} must be a dense tensor of real numbers where x lies; got {shown(value)}")
    if any(n not in (1, m) for n, m in zip(value.shape[::-1], x.shape[::-1])) or value.dim() > x.dim():
        raise ValueError(f"{name} must broadcast to x, {tuple(x.shape)}; got {tuple(value.shape)}")
    return value


class _Half(_Unchanged):
    @staticmethod
    def forward(ctx, x):
        return x.half().to(x.dtype)


def half_through(x):
    """Round to the nearest float16, the type Core ML stores; the gradient passes unchanged."""
    return _Half.apply(x)


def fake_quantize(x, scale, low, high, zero_point=0):
    """Quantize and dequantize: the values that whole-number codes can stand for.

    One line of algebra, so that autograd finds the gradients by itself:
    ``(clamp(round(x / scale) + zero_point, low, high) - zero_point) * scale``.

    Parameters
    ----------
    x : tensor
    scale : tensor that broadcasts with `x`
        The distance between two neighbouring values. Positive.
    low, high : int
        The smallest and the largest code.
    zero_point : int or tensor
        The code that stands for 0.

    Returns
    -------
    tensor
        Of the shape of `x`. With respect to `x` its gradient is 1 inside the range and 0 outside.
        With respect to `scale` it is that of learned step size quantization (LSQ): the rounding
        error ``round(x / scale) - x / scale`` inside, the last code outside. At the end of the
        range a smaller scale costs the clipped weights; in the middle it is a matter of rounding.

    References
    ----------
    Jacob et al., "Quantization and training of neural networks for efficient
    integer-arithmetic-only inference", CVPR 2018. Esser et al., "Learned step size quantization",
    ICLR 2020.

    Examples
    --------
    >>> fake_quantize(torch.tensor([0.26, -9.0]), torch.tensor(0.5), low=-8, high=7).tolist()
    [0.5, -4.0]
    """
    _check_tensor("x", x)
    scale, zero_point = _check_factor("scale", scale, x), _check_factor("zero_point", zero_point, x)
    low, high = check_int("low", low, _CODES), check_int("high", high, _CODES)
    if low > high:
        raise ValueError(f"low must not be above high; got {low} and {high}")
    codes = (round_through(x / scale) + zero_point).clamp(low, high)
    return (codes - zero_point) * scale
