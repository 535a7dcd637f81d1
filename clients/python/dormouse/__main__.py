"""python3 -m dormouse MODULE: imports a module and serves the tasks that it registers."""

import importlib
import sys

from dormouse import serve

if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
    sys.exit("usage: python3 -m dormouse MODULE [--run TASK [PAYLOAD]]")
importlib.import_module(sys.argv[1])
sys.argv[:2] = [f"-m dormouse {sys.argv[1]}"]
serve()
