"""A pool with alerts, a web server that hears of it, and the worker in the foreground. Used by the tests beside it."""
import os
import sys

from servers import Web

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "operators"))
from foreground import ForegroundCase, eventually, pools  # noqa: E402 pylint: disable=wrong-import-position,unused-import

GATHER = '"500ms"'


class PoolCase(ForegroundCase):
    def setUp(self):
        super().setUp()
        self.web = Web()
        self.addCleanup(self.web.stop)

    def pool(self, tasks, alerts=None, **worker):
        """`alerts` over those of the web server; None takes one out."""
        keys = {"webhook": f'"{self.web.url}"', "gather": GATHER, **(alerts or {})}
        return self.make_pool({"worker": worker, "alerts": {key: value for key, value in keys.items() if value is not None}}, tasks)

    def kinds(self):
        return [(post["kind"], post["state"]) for post in list(self.web.posts)]
