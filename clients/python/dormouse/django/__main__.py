"""python3 -m dormouse.django [TASK]: executes what dormouse.django.Backend enqueues; a pool starts it, with DJANGO_SETTINGS_MODULE in its environment."""

import sys

import django
import dormouse
from dormouse._django import fresh_connections

django.setup()
from dormouse.django import execute  # noqa: E402: it needs the settings

_name = sys.argv.pop(1) if sys.argv[1:] and not sys.argv[1].startswith("-") else "django"


@dormouse.task(_name)
def _execute(payload, run):
    with fresh_connections():
        return execute(payload, run)


sys.argv[0] = "-m dormouse.django"
dormouse.serve()
