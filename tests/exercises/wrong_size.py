"""Wrong answers that people give to the exercises of chapter 1, each with a part of the hint it must get."""

WRONG = {
    "conv_parameters": [
        (lambda i, o, k, bias: i * o * k, "square"),
        (lambda i, o, k, bias: i * o * k + (o if bias else 0), "square"),
        (lambda i, o, k, bias: o * k * k + (o if bias else 0), "all input channels"),
        (lambda i, o, k, bias: i * o * k * k + (1 if bias else 0), "one bias for each output"),
        (lambda i, o, k, bias: i * o * (k * k + bias), "one bias for each output"),
        (lambda i, o, k, bias: o * (i * k * k + 1), "bias says whether"),
        (lambda i, o, k, bias: i * o * k * k, "adds one more"),
        (lambda i, o, k, bias: k * k, "one filter"),
        (lambda i, o, k, bias: f"{i * o * k * k}", ""),
    ],
    "model_size": [
        (lambda p, bits: (p * bits / 8 / 2**20, p * bits / 8 / 10**6), "First MB"),
        (lambda p, bits: (p * bits / 10**6, p * bits / 2**20), "8 bits"),
        (lambda p, bits: (p * bits / 8 / 10**6, p * bits / 8 / 10**6), "10**6 bytes"),
        (lambda p, bits: (p * (bits // 8) / 10**6, p * (bits // 8) / 2**20), "part of a byte"),
        (lambda p, bits: (p * 2 / 10**6, p * 2 / 2**20), "bits is an argument"),
        (lambda p, bits: (p * bits // 8 // 10**6, p * bits // 8 // 2**20), "too coarse"),
        (lambda p, bits: (p * bits / 8 / 10**6, p * bits / 8 / 1024 / 1000), "1024 x 1024"),
        (lambda p, bits: p * bits / 8 / 10**6, ""),
    ],
    "weight_file_bytes": [
        (lambda sizes: sum(sizes), "else"),
        (lambda sizes: 64 + sum(sizes), "record"),
        (lambda sizes: 64 + sum(64 + -(-n // 64) * 64 for n in sizes), "not filled up"),
        (lambda sizes: 64 + sum(64 + n for n in sizes), "gap"),
        (lambda sizes: 64 + sum(64 + (n // 64 + 1) * 64 for n in sizes), "no filling"),
        (
            lambda sizes: sum(64 + -(-n // 64) * 64 for n in sizes[:-1]) + sum(64 + n for n in sizes[-1:]),
            "header",
        ),
    ],
}
