#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TCP relay with a delay: relay.py NAME=LISTEN_HOST:PORT=TARGET…, TARGET a unix socket or HOST:PORT. It passes bytes on unchanged
and in order; what it holds is bounded, so that a side which does not read is felt by the other. Commands on standard input, each
answered by a line "ok": `delay NAME MILLISECONDS` for what is on its way from the target, `cut NAME` closes its connections and
takes no new ones, `mend NAME`. Ends with its standard input."""
import asyncio
import sys

CHUNK, HELD = 64 * 1024, 64  # bytes of a piece, pieces under way in one direction


async def until(moment):
    loop = asyncio.get_running_loop()
    if moment > loop.time():
        come = loop.create_future()
        loop.call_at(moment, come.set_result, None)
        await come


class Relay:
    def __init__(self, name, listen, target):
        self.name, self.target = name, target
        self.host, _, port = listen.rpartition(":")
        self.port = int(port)
        self.delay = 0.0
        self.is_cut = False
        self.writers = set()

    async def serve(self):
        await asyncio.start_server(self._take, self.host, self.port)

    async def _take(self, reader, writer):
        if self.is_cut:
            writer.close()
            return
        try:
            if self.target.startswith("/"):
                back, forth = await asyncio.open_unix_connection(self.target)
            else:
                host, _, port = self.target.rpartition(":")
                back, forth = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.close()
            return
        self.writers |= {writer, forth}
        tasks = [asyncio.create_task(self._pass(reader, forth, False)), asyncio.create_task(self._pass(back, writer, True))]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for end in (writer, forth):
            end.close()
        self.writers -= {writer, forth}

    async def _pass(self, reader, writer, delayed):
        """One task reads and stamps, this one writes when the time of a piece has come."""
        under_way = asyncio.Queue(HELD)
        feeder = asyncio.create_task(self._read(reader, under_way, delayed))
        try:
            while True:
                due, piece = await under_way.get()
                if not piece:
                    return
                await until(due)
                writer.write(piece)
                await writer.drain()
        except OSError:
            return
        finally:
            feeder.cancel()

    async def _read(self, reader, under_way, delayed):
        piece = b"-"
        while piece:
            try:
                piece = await reader.read(CHUNK)
            except OSError:
                piece = b""
            await under_way.put((asyncio.get_running_loop().time() + (self.delay if delayed else 0.0), piece))

    def cut(self):
        self.is_cut = True
        for writer in self.writers:
            writer.transport.abort()


async def obey(relays):
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        verb, name, *rest = line.decode().split()
        relay = relays[name]
        if verb == "delay":
            relay.delay = int(rest[0]) / 1000
        elif verb == "cut":
            relay.cut()
        elif verb == "mend":
            relay.is_cut = False
        else:
            raise SystemExit(f"relay: unknown command {verb}")
        print("ok", flush=True)


async def main(words):
    relays = {}
    for word in words:
        name, listen, target = word.split("=")
        relays[name] = Relay(name, listen, target)
        await relays[name].serve()
    print("ok", flush=True)
    await obey(relays)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
