"""Model families, one file each, named by their `model_type`; nothing lists them."""

from .parts.family import Model, digest, find, known, open_model, register

__all__ = ["Model", "digest", "find", "known", "open_model", "register"]
