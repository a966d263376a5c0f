"""What is done with coremltools: convert, verify, compress, quantize activations, ask Core ML's plan."""
