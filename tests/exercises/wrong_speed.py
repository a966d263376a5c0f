"""Wrong answers that people give to the exercises of the chapters about speed."""


def _best(formats, key):
    return min(range(len(formats)), key=lambda i: key(*formats[i]))


WRONG = {
    "arithmetic_intensity": [
        (
            lambda m, n, batch, bits: m * n * batch / (m * n * bits / 8 + 2 * batch * (m + n)),
            "two operations",
        ),
        (
            lambda m, n, batch, bits: 2 * m * n * batch / (m * n * batch * bits / 8 + 2 * batch * (m + n)),
            "read once",
        ),
        (
            lambda m, n, batch, bits: 2 * m * n * batch / (m * n * bits / 8 + 2 * (m + n)),
            "grow with the batch",
        ),
        (lambda m, n, batch, bits: 2 * m * n * batch / (m * n * bits / 8), "goes in"),
        (lambda m, n, batch, bits: 2 * m * n * batch / (m * n * 2 + 2 * batch * (m + n)), "how wide"),
        (lambda m, n, batch, bits: 2 * m * n * batch * 8 / bits / (m * n + batch * (m + n)), "Only weights"),
        (lambda m, n, batch, bits: 2 * m * n * batch / (m * n * bits + 2 * batch * (m + n)), "8 bits"),
        (
            lambda m, n, batch, bits: (m * n * bits / 8 + 2 * batch * (m + n)) / (2 * m * n * batch),
            "not bytes",
        ),
        (lambda m, n, batch, bits: 2 * m * n * batch / (m * n * bits / 8 + 2 * batch * n), "three kinds"),
        (lambda m, n, batch, bits: (2 * m * n, m * n), ""),
    ],
    "break_even_batch": [
        (
            lambda o, b, u: o / b - u / 2 if (o / b - u / 2) % 1 else max(1, int(o / b - u / 2)),
            "whole number",
        ),
        (lambda o, b, u: max(1, int(o / b - u / 2)), "round up"),
        (lambda o, b, u: -((u * b - 2 * o) // (2 * b)), "less than one"),
        (lambda o, b, u: max(1, -(-o // b)), "also has to unpack"),
        (lambda o, b, u: max(1, -((u * b - o) // b)), "half as many"),
        (lambda o, b, u: max(1, -((u * b - 4 * o) // (2 * b))), "two bytes"),
        (lambda o, b, u: max(1, -((-u * b - 2 * o) // (2 * b))), "earlier"),
        (lambda o, b, u: 64, "Write down"),
    ],
    "choose_format": [
        (
            lambda m, w, formats, c: _best(formats, lambda bits, t: w * bits / 8 / c[1] + t * c[2]),
            "fewer bytes save nothing",
        ),
        (
            lambda m, w, formats, c: _best(
                formats, lambda bits, t: (2 * m / c[0] + w * bits / 8 / c[1] + t * c[2], bits)
            ),
            "nor the sum",
        ),
        (
            lambda m, w, formats, c: _best(
                formats, lambda bits, t: (max(2 * m / c[0], w * bits / 8 / c[1]), -bits)
            ),
            "Each table",
        ),
        (
            lambda m, w, formats, c: _best(
                formats, lambda bits, t: (max(2 * m / c[0], w * bits / 8 / c[1]) + t * c[2], bits)
            ),
            "accuracy",
        ),
        (
            lambda m, w, formats, c: _best(
                formats, lambda bits, t: -max(2 * m / c[0], w * bits / 8 / c[1]) - t * c[2]
            ),
            "slowest",
        ),
        (lambda m, w, formats, c: 1, "smallest"),
        (lambda m, w, formats, c: formats[0], ""),
    ],
}
