"""The pages of the book, which Sphinx reads, and in `book._tools` what builds them."""
