"""Rows of compressed weights times one vector or a few, in vector instructions that Numba has no name for.

A table of 16 numbers fits into one vector register, and a processor can shuffle one register by
another: sixteen weights are looked up in one instruction, without a visit to memory. Expanding does
the same for a bitmask: the next values of a stream go to the lanes whose bit is 1.

Both are written here in LLVM's own language, which LLVM turns into any processor's instructions.
Where there is no such instruction (Arm's NEON shuffles bytes, not floats) it writes single loads
and moves instead: the same numbers, more slowly. The plain loops are in `loops.py`.
"""

from collections.abc import Callable

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic as numba_intrinsic

_FLOAT, _HALF = ir.FloatType(), ir.HalfType()
_BIT, _BYTE, _SHORT, _INT, _LONG = (ir.IntType(width) for width in (1, 8, 16, 32, 64))


def _has(feature):
    """Whether Numba compiles for a processor with this LLVM feature."""
    # NUMBA_CPU_FEATURES asks for another processor than this.
    asked = config.CPU_FEATURES  # pyright: ignore[reportAttributeAccessIssue] - numba sets it as it is imported
    if asked is not None:
        return f"+{feature}" in asked.split(",")
    return llvm.get_host_cpu_features().get(feature, False)


# Sixteen floats are one register with AVX-512. Elsewhere the pieces are of eight, and a table of
# sixteen is looked up in two halves.
LANES = 16 if _has("avx512f") else 8
# Vectors that share each decompressed weight: as many as there are registers for their sums, of four rows.
VECTORS = 4 if LANES == 16 else 2
HAS_EXPAND = _has("avx512vbmi2")


def intrinsic(function) -> Callable:
    """Numba's own, which hands over the first argument by itself: callers give one fewer than is written."""
    return numba_intrinsic(function)


class _Code:
    """Writes the few kinds of instruction that are needed, `LANES` numbers at a time."""

    def __init__(self, context, builder):
        self.context, self.builder = context, builder

    def data(self, array_type, array):
        return self.context.make_array(array_type)(self.context, self.builder, array).data

    def load(self, pointer, index, kind, align):
        """Elements index .. index + LANES - 1 behind a pointer."""
        where = self.builder.gep(pointer, [index])
        vector = ir.VectorType(kind, LANES)
        return self.builder.load(self.builder.bitcast(where, vector.as_pointer()), align=align)

    def all(self, kind, value):
        return ir.Constant(ir.VectorType(kind, LANES), [value] * LANES)

    def repeat(self, number):
        """One number in every lane."""
        vector = ir.Constant(ir.VectorType(number.type, LANES), ir.Undefined)
        for lane in range(LANES):
            vector = self.builder.insert_element(vector, number, ir.Constant(_INT, lane))
        return vector

    def widen(self, byte, signed):
        extend = self.builder.sext if signed else self.builder.zext
        return extend(byte, ir.VectorType(_INT, LANES))

    def to_float(self, number, signed):
        convert = self.builder.sitofp if signed else self.builder.uitofp
        return convert(number, ir.VectorType(_FLOAT, LANES))

    def shuffle(self, entries, code):
        """entries[code] in every lane. LLVM recognises these picks as one instruction."""
        picked = ir.Constant(entries.type, ir.Undefined)
        for lane in (ir.Constant(_INT, lane) for lane in range(LANES)):
            entry = self.builder.extract_element(entries, self.builder.extract_element(code, lane))
            picked = self.builder.insert_element(picked, entry, lane)
        return picked

    def look_up(self, table, code):
        """table[code & 15]; `table` is a list of one vector of 16 entries, or of two of 8."""
        within = self.builder.and_(code, self.all(_INT, LANES - 1))
        found = [self.shuffle(entries, within) for entries in table]
        if len(found) == 1:
            return found[0]
        upper = self.builder.and_(code, self.all(_INT, LANES))
        upper = self.builder.icmp_unsigned("!=", upper, self.all(_INT, 0))
        return self.builder.select(upper, found[1], found[0])

    def add_product(self, total, a, b):
        product = self.builder.fmul(a, b, flags=("fast",))
        return self.builder.fadd(total, product, flags=("fast",))

    def sum(self, total):
        kind = ir.FunctionType(_FLOAT, [_FLOAT, total.type])
        name = f"llvm.vector.reduce.fadd.v{LANES}f32"
        reduce = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(reduce, [ir.Constant(_FLOAT, -0.0), total], fastmath=("fast",))

    def loop(self, count, step, starts, body):
        """Run `body(i, carried) -> carried` for i = 0, step, ... below count; at least once."""
        builder, before = self.builder, self.builder.block
        inside = builder.append_basic_block("loop")
        after = builder.append_basic_block("after")
        builder.branch(inside)
        builder.position_at_end(inside)
        i = builder.phi(_LONG)
        carried = [builder.phi(start.type) for start in starts]
        results = body(i, carried)
        following = builder.add(i, ir.Constant(_LONG, step))
        i.add_incoming(ir.Constant(_LONG, 0), before)
        i.add_incoming(following, inside)
        for phi, start, result in zip(carried, starts, results, strict=True):
            phi.add_incoming(start, before)
            phi.add_incoming(result, inside)
        builder.cbranch(builder.icmp_signed("<", following, count), inside, after)
        builder.position_at_end(after)
        return results


def rows_product(bits, signed=False, vectors=1):
    """An instruction that multiplies some rows of packed codes of this width by some vectors.

    Returns `product(codes, tables, x, sums, count)`. `codes` is a tuple of arrays (the rows): uint8 or
    int8, or numbers as they are, float32 or the bits of float16 in uint16. `tables` is a tuple of as many
    float32 arrays of 16 entries. `x` is a float32 array of `vectors` rows of `8 // bits` times `count`
    numbers: first those that meet the lowest code of each byte, then those that meet the next. `sums` is
    a float32 array of (rows, vectors). `count`, the elements of a row of codes, is a multiple of `LANES`.
    Several rows at once read x once for all, several vectors share each decompressed weight, and no
    addition waits for the one before.

    Codes of 8 bits, of which only these may be `signed`, are numbers themselves. Their `tables` have
    one entry each, which is subtracted: the zero point. For 16 and 32 bits `tables` is empty.
    """
    per_element = max(1, 8 // bits)
    # Two running totals a row where there is one vector: an addition takes longer than a look-up.
    chains = 2 if vectors == 1 else 1

    @intrinsic
    def product(_typing, codes, tables, x, sums, count):
        signature = types.void(codes, tables, x, sums, types.intp)

        def generate(context, builder, sig, args):
            code = _Code(context, builder)

            def unpack(index):
                rows = cgutils.unpack_tuple(builder, args[index])
                return [code.data(t, row) for t, row in zip(sig.args[index], rows, strict=True)]

            rows, tables = unpack(0), unpack(1)
            x, sums = code.data(sig.args[2], args[2]), code.data(sig.args[3], args[3])
            if bits > 8:
                tables = [None] * len(rows)
            elif bits == 8:
                tables = [code.repeat(builder.load(zero)) for zero in tables]
            else:
                tables = [
                    [code.load(table, ir.Constant(_LONG, half), _FLOAT, 4) for half in range(0, 16, LANES)]
                    for table in tables
                ]

            def fetch(row, i):
                if bits == 32:
                    return code.load(row, i, _FLOAT, 4)
                if bits == 16:
                    halves = builder.bitcast(code.load(row, i, _SHORT, 2), ir.VectorType(_HALF, LANES))
                    return builder.fpext(halves, ir.VectorType(_FLOAT, LANES))
                return code.widen(code.load(row, i, _BYTE, 1), signed)

            def decompress(element, lane, table):
                if bits > 8:
                    return element
                if bits == 8:
                    return builder.fsub(code.to_float(element, signed), table, flags=("fast",))
                return code.look_up(table, builder.lshr(element, code.all(_INT, lane * bits)))

            def body(i, totals):
                # Piece p * vectors + v of x: vector v, where it meets the p-th codes of the bytes.
                pieces = [
                    code.load(x, builder.add(builder.mul(args[4], ir.Constant(_LONG, place)), i), _FLOAT, 4)
                    for lane in range(per_element)
                    for place in (v * per_element + lane for v in range(vectors))
                ]
                totals = list(totals)
                for r, row in enumerate(rows):
                    element = fetch(row, i)
                    for lane in range(per_element):
                        weights = decompress(element, lane, tables[r])
                        for v in range(vectors):
                            t = (r * vectors + v) * chains + lane % chains
                            totals[t] = code.add_product(totals[t], weights, pieces[lane * vectors + v])
                return totals

            starts = [code.all(_FLOAT, 0.0)] * (len(rows) * vectors * chains)
            totals = code.loop(args[4], LANES, starts, body)
            for place in range(len(rows) * vectors):
                total, *others = totals[place * chains : (place + 1) * chains]
                for other in others:
                    total = builder.fadd(total, other, flags=("fast",))
                builder.store(code.sum(total), builder.gep(sums, [ir.Constant(_LONG, place)]))
            return context.get_dummy_value()

        return signature, generate

    return product


@intrinsic
def expanded_row(_typing, values, first, mask, x, count):
    """The product of one sparse row with a vector; needs `HAS_EXPAND`.

    `values` are the float16 weights of the whole matrix seen as uint16, `first` is the number of
    the row's first one, `mask` the row's bits as uint16, `count` the number of those.
    """
    signature = types.float32(values, types.intp, mask, x, types.intp)

    def generate(context, builder, sig, args):
        code = _Code(context, builder)
        values, mask, x = (code.data(sig.args[i], args[i]) for i in (0, 2, 3))
        lanes = ir.VectorType(_SHORT, 16)
        kind = ir.FunctionType(lanes, [_SHORT.as_pointer(), ir.VectorType(_BIT, 16), lanes])
        expand = cgutils.get_or_insert_function(builder.module, kind, "llvm.masked.expandload.v16i16")

        def body(i, carried):
            total, at = carried
            bits = builder.load(builder.gep(mask, [i]))
            kept = builder.bitcast(bits, ir.VectorType(_BIT, 16))
            zeros = ir.Constant(lanes, [0] * 16)
            found = builder.call(expand, [builder.gep(values, [at]), kept, zeros])
            found = builder.bitcast(found, ir.VectorType(_HALF, 16))
            weights = builder.fpext(found, ir.VectorType(_FLOAT, 16))
            piece = code.load(x, builder.mul(i, ir.Constant(_LONG, 16)), _FLOAT, 4)
            at = builder.add(at, builder.zext(builder.ctpop(bits), _LONG))
            return [code.add_product(total, weights, piece), at]

        total, _ = code.loop(args[4], 1, [code.all(_FLOAT, 0.0), args[1]], body)
        return code.sum(total)

    return signature, generate


@intrinsic
def half_to_float(_typing, half):
    """The float16 whose bits are given as uint16, as a float32."""

    def generate(context, builder, sig, args):
        return builder.fpext(builder.bitcast(args[0], _HALF), _FLOAT)

    return types.float32(types.uint16), generate


@intrinsic
def add_product_int32(_typing, total, a, b):
    """total + a * b in 32 bits, of two int8; Numba itself would widen it to 64."""

    def generate(context, builder, sig, args):
        a, b = (builder.sext(arg, _SHORT) for arg in args[1:])  # 16 bits hold the product
        return builder.add(args[0], builder.sext(builder.mul(a, b), _INT))

    return types.int32(types.int32, types.int8, types.int8), generate
