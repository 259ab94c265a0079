"""The one exception for bad input: its text is what the user reads."""


class UserError(Exception):
    """Bad input: a file, an option, a bundle. The command prints it and exits with code 2."""
