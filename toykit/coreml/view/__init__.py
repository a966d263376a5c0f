"""What is shown of a program: its graph, and words for operators and settings."""
