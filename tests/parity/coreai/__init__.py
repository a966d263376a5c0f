"""Parity with Core AI: coreai-opt's stored arrays, and Apple's runtime beside toykit's and torch."""
