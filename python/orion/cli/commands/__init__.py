"""One command a file, found by its name: `add_arguments(parser)` and `run(arguments) -> exit code`.

The first line of the file's docstring is the command's help.
"""
