"""dormouse.ring(): rings by name, path and address; what is wrong with a doorbell is False, at once, and no exception."""

import socket
import time
import unittest

from bell import Bell
from dormouse import ring


class Ring(unittest.TestCase):
    def test_a_pool_is_rung_by_name_and_by_path(self):
        bell = Bell("named")
        self.assertTrue(ring("named"))
        self.assertTrue(ring(bell.target))
        self.assertEqual(bell.rings(), 2)
        bell.close()

    def test_a_doorbell_on_another_host_is_rung(self):
        bell = Bell()
        self.assertTrue(ring(bell.target))
        self.assertEqual(bell.rings(), 1)
        bell.close()

    def test_a_doorbell_full_of_rings_is_rung_and_does_not_block(self):
        bell = Bell("full", backlog=2)
        began = time.monotonic()
        self.assertTrue(all([ring("full") for _ in range(50)]))
        self.assertLess(time.monotonic() - began, 5)
        self.assertGreater(bell.rings(), 0)
        bell.close()

    def test_nobody_there_is_false(self):
        Bell("gone").close()
        for target in ("missing", "gone", "/nonexistent/socket", "/" + "x" * 200, "127.0.0.1:1", "no-such-host.invalid:7300",
                       "host:port", "[::1]:99999", "a\0b", "", ":"):
            self.assertIs(ring(target), False, target)

    def test_one_that_does_not_answer_is_given_up_in_time(self):
        deaf = socket.socket()
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        waiting = []
        for _ in range(4):  # fill the queue: the kernel then drops what comes
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(deaf.getsockname())
        began = time.monotonic()
        self.assertFalse(ring("127.0.0.1:%d" % deaf.getsockname()[1], timeout=0.3))
        self.assertLess(time.monotonic() - began, 5)
        for one in [deaf, *waiting]:
            one.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
