"""Gradients of graphs, and the parting of a graph with its gradients into two programs."""

from .partition import Parts, part
from .reverse import gradients

__all__ = ["Parts", "gradients", "part"]
