"""Model families, one file each, named by their `model_type`; nothing lists them."""

from .parts.family import Model, find, known, open_model

__all__ = ["Model", "find", "known", "open_model"]
