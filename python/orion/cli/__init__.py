"""The `orion` command: reads arguments, calls the package, prints."""
