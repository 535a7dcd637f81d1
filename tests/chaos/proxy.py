#!/usr/bin/python3
"""proxy.py SOCKET UPSTREAM: the network between one host and the database, as bad as it is told to be by lines on stdin.

pass     bytes go through. What was held is delivered, late; connections that have lost bytes are reset.
cut      every connection is reset, and each new one.
hold     bytes wait, in both directions: a write may reach the database long after its writer has lost its lease.
swallow  bytes are lost and the connections stay: half-open.

Ends with stdin. Driven by host.py, one process for each host.
"""
import asyncio
import os
import sys


class Proxy:
    def __init__(self, upstream):
        self.upstream = upstream
        self.mode = "pass"
        self.open_gate = asyncio.Event()
        self.open_gate.set()
        self.connections = set()

    def turn(self, mode):
        if mode == "cut" or self.mode == "swallow":
            for writer in list(self.connections):
                writer.transport.abort()
        self.mode = mode
        if mode == "hold":
            self.open_gate.clear()
        else:
            self.open_gate.set()

    async def pump(self, reader, writer):
        while data := await reader.read(65536):
            await self.open_gate.wait()
            if self.mode == "cut":
                return
            if self.mode != "swallow":
                writer.write(data)
                await writer.drain()
        await self.open_gate.wait()

    async def serve(self, reader, writer):
        if self.mode == "cut":
            return writer.transport.abort()
        ends = [writer]
        try:
            there_reader, there = await asyncio.open_unix_connection(self.upstream)
            ends.append(there)
            self.connections.update(ends)
            pumps = [asyncio.create_task(self.pump(reader, there)), asyncio.create_task(self.pump(there_reader, writer))]
            _, rest = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in rest:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
        except OSError:
            pass  # no database: the caller sees its connection closed
        finally:
            self.connections.difference_update(ends)
            for end in ends:
                end.close()


async def main():
    path, upstream = sys.argv[1:]
    proxy = Proxy(upstream)
    await asyncio.start_unix_server(proxy.serve, path)
    os.chmod(path, 0o777)
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    print("ready", flush=True)
    while line := await orders.readline():
        proxy.turn(line.decode().strip())
    os._exit(0)  # connections that are still open end with us, unasked


asyncio.run(main())
