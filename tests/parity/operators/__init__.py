"""Small functions that together use the operators of Core ML, with an oracle for each.

`elementwise`, `layers` and `tensors` are torch functions: coremltools converts them, and torch says what
comes out. `programs` are written in coremltools' own language, for operators that no torch function
becomes; what comes out is said by NumPy, or by what coremltools computes when it folds constants.
"""
