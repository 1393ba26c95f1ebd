"""Gradients of graphs, and the parting of a graph with its gradients into two programs."""

from .reverse import gradients

__all__ = ["gradients"]
