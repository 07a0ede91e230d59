"""Readers of everything that holds images: files, folders, archives, tables, Python objects, known data sets."""
