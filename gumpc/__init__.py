"""The gumpc compiler and its command line: workflow text in, plan or diagnostics out."""

__version__ = "0.1.0"
