"""Verbs: what one can do with the schema. One script per make target; each only parses, calls core, prints."""

import signal
import sys

# Ctrl-C in the midst of the imports would show a traceback; `command.run` answers it later. Python calls itself -m
# while it looks for the script: see sys.argv in its documentation.
if sys.argv[:1] == ["-m"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
