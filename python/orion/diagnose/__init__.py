"""Finds out what is wrong with a program: its text, what fails in it, where two devices part."""
