"""The command line: parses, calls, prints. Commands import torch lazily, so that help is fast."""
