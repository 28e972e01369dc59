"""What is particular to one edition of the language; what both share is parsed and resolved outside of this package."""
