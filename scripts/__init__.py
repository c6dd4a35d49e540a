"""The verbs: one script for each make target. A script parses its options, calls core, and prints."""

import signal
import sys

# Ctrl-C during the imports would show a traceback. Python ignores it until `entry_point.run` handles it. Python calls
# itself -m while it looks for the script: see sys.argv in its documentation.
if sys.argv[:1] == ["-m"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

# Alembic imports Mako, which would import a highlighter for its HTML error pages. That takes a twelfth of the time of a
# short command, and Mako does without.
sys.modules.setdefault("mako.ext.pygmentplugin", None)  # type: ignore[arg-type]
