"""Choices made by timing this machine: precision, number of parallel runs, memory allocator, thread spinning."""
