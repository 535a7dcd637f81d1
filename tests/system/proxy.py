#!/usr/bin/python3
"""proxy.py PORT COUNTER: passes bytes between 127.0.0.1:PORT and Postgres on 5432, and writes the number of bytes passed so
far, in both directions, to the file COUNTER whenever it changes.
"""
import selectors
import socket
import sys

port, counter = int(sys.argv[1]), sys.argv[2]
selector = selectors.DefaultSelector()
listener = socket.create_server(("127.0.0.1", port))
selector.register(listener, selectors.EVENT_READ)
peers, total = {}, 0


def count(size):
    global total
    total += size
    with open(counter, "w") as file:
        file.write(f"{total}\n")


count(0)
while True:
    for key, _ in selector.select():
        if key.fileobj is listener:
            client = listener.accept()[0]
            server = socket.create_connection(("127.0.0.1", 5432))
            for one, other in ((client, server), (server, client)):
                peers[one] = other
                selector.register(one, selectors.EVENT_READ)
            continue
        source = key.fileobj
        if source not in peers:
            continue
        try:
            data = source.recv(65536)
            peers[source].sendall(data)
        except OSError:
            data = b""
        count(len(data))
        if not data:
            for end in (source, peers[source]):
                selector.unregister(end)
                peers.pop(end)
                end.close()
