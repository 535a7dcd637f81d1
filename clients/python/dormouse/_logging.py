"""Records of the standard library's logging become log lines of the run they come from."""

import logging
import sys

from dormouse._run import current


class _RunHandler(logging.Handler):
    def emit(self, record):
        try:
            text = self.format(record)
            run = current.get()
            if run is None:
                print(text, file=sys.stderr, flush=True)  # a line of the worker's own log
                return
            level = ("debug", "info", "warning", "error")[min(max(record.levelno // 10, 1), 4) - 1]
            run.log(text, level)
        except Exception:
            self.handleError(record)


def capture():
    """For the root logger; its level becomes INFO if nobody has configured logging."""
    root = logging.getLogger()
    if not root.handlers and root.level == logging.WARNING:
        root.setLevel(logging.INFO)
    root.addHandler(_RunHandler())
