# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Pretrain, fine-tune and use sequence models.

  python launch.py quickstart                       the tour: pretrain, fine-tune, generate, in five minutes on a laptop
  python launch.py list                             the experiments
  python launch.py train NAME [key=value ...]       run one

Settings are overridden by their dotted names, as `show` prints them: run.steps=500 data=text:/corpus/*.txt
"""

import json
import os
import sys

from seqjax.arguments import parse, parser
from seqjax.training.environment import keep_memory


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status.

    0, 1 for a run that diverged, 2 for a mistake of the user's, 75 for a run saved before its end, or 128 + a signal.
    """
    try:
        try:
            return _call(arguments)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # who reads, `head` perhaps, has seen enough; nothing is left to flush at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _call(arguments: list[str] | None) -> int:
    """Parses, calls, prints."""
    options = parse(__doc__, arguments)
    command, as_json = options.pop("command"), options.pop("json")
    if command is None:
        parser(__doc__).print_help()
        return 0
    from seqjax import commands
    from seqjax.errors import FILES, INTERRUPTED, Diverged, UserError
    from seqjax.training.environment import keep_compiled_programs, say_choices

    keep_compiled_programs()
    say_choices()
    try:
        result, text = commands.COMMANDS[command](**options)
        for line in ([text] if text else []) if isinstance(text, str) else text:  # which comes line by line
            print(line, file=sys.stderr if as_json else sys.stdout, flush=True)
    except (UserError, Diverged, OSError) as error:
        if isinstance(error, OSError) and error.errno not in FILES:
            raise
        print(f"error: {error}", file=sys.stderr)
        if as_json:
            print(json.dumps({"error": str(error)}))
        return 1 if isinstance(error, Diverged) else 2
    if as_json:
        print(json.dumps(result))
    return INTERRUPTED if isinstance(result, dict) and result.get("status") == "interrupted" else 0


if __name__ == "__main__":
    keep_memory()
    sys.exit(main())
