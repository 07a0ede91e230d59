"""All randomness is a function of a key such as ``(seed, "latent", step)``, and never of earlier draws.

A resumed run therefore equals an uninterrupted one: there is no generator state to save.
"""

import hashlib
import operator

import torch


def seed_of(*key: int | str) -> int:
    """Hash a key to a 63-bit seed; the same key gives the same seed on every machine and Python version.

    The type of a whole number does not matter: NumPy's 3 and Python's 3 are the same key.
    """
    text = "\x1f".join(f"str:{part}" if isinstance(part, str) else f"int:{operator.index(part)}" for part in key)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def random_generator(*key: int | str, device: str | torch.device = "cpu") -> torch.Generator:
    """Return a fresh torch random generator for ``key``; on a given device and torch version its draws never change."""
    return torch.Generator(device=device).manual_seed(seed_of(*key))
