# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What is a message to the user: two exceptions, and errors of the operating system."""

import errno

# What the operating system says of files where the user can help: permissions, space, names.
FILES = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOSPC,
        errno.EDQUOT,
        errno.ENOTDIR,
        errno.ENAMETOOLONG,
        errno.EMFILE,
    }
)

INTERRUPTED = 75  # the exit status of what was saved before its end: EX_TEMPFAIL of sysexits.h, "try again"


class UserError(Exception):
    """Something the user can put right; its text is one line that says what is wrong and what to do next.

    The command line prints it without a traceback and exits with status 2. In a notebook it is an ordinary exception.
    """

    def __init__(self, message: str):
        super().__init__(" ".join(message.split()))


class Diverged(Exception):
    """A run's loss is not a number; the text is one line for the user."""
