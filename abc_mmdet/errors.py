"""The one exception for mistakes a user can mend."""


class UserError(ValueError):
    """Something in a config, a file or a command line is wrong, and the user can put it right.

    The message says what is wrong, where (file, field, value) and what to do. Tools print it
    without a traceback and exit with code 2.
    """
