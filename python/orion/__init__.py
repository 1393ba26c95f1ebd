"""Orion: compile, run and train small language models on Apple's Neural Engine."""

__version__ = "0.1.0"
