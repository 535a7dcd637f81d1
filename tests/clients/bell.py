"""A doorbell: a real socket whose rings are counted. Used by the tests of the Python clients, and as a program by others:
bell.py POOL prints the number of rings after each line on stdin, once no further ring has come for a moment."""

import os
import select
import socket
import sys


class Bell:
    def __init__(self, pool=None, backlog=64):
        if pool is None:
            self.socket = socket.create_server(("127.0.0.1", 0))
            self.target = "127.0.0.1:%d" % self.socket.getsockname()[1]
        else:
            self.target = f"{os.environ['DORMOUSE_PATHS_RUNTIME_DIRECTORY']}/{pool}.sock"
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.bind(self.target)
            self.socket.listen(backlog)
        self.socket.setblocking(False)

    def rings(self):
        """Answers what waits and says how many there were. Who rings has connected before ring() returns: no wait."""
        count = 0
        while select.select([self.socket], [], [], 0)[0]:
            self.socket.accept()[0].close()
            count += 1
        return count

    def close(self):
        self.socket.close()


if __name__ == "__main__":
    bell = Bell(sys.argv[1])
    print("listens", flush=True)
    for _ in sys.stdin:
        print(bell.rings(), flush=True)
