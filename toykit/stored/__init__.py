"""What a weight is stored as, before it is compressed: which arrays, of which type, how large.

`parts` is the vocabulary, `prediction` says what becomes of a weight, `arrays` makes the arrays or tells by a
glance that those of two weights differ. The ledger and the writer of packages both ask here.
"""
