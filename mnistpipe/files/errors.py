"""The one exception that stands for a mistake which the user can mend."""


class UserError(Exception):
    """Something outside the code is wrong: a parameter, a file, a server.

    Its text is one sentence that names the thing and says what is allowed or what to do; the
    stages and the command line print it without a traceback and exit with status 1.
    """
