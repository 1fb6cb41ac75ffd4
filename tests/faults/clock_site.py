# SPDX-License-Identifier: Apache-2.0
"""A site of which every program, and the database, has a wall clock of its own, which can be stepped while it runs."""
import os
import shutil
import tempfile

import clocks
from fault_site import FaultSite


class ClockSite(FaultSite):
    def __init__(self, nats=None, sync_always=False, **settings):
        self.clocks = tempfile.mkdtemp(prefix="mu-clocks-")
        os.chmod(self.clocks, 0o755)  # the database runs as another user
        self.step("postgres", 0)
        env = clocks.environment(self._file("postgres"))
        before = {name: os.environ.get(name) for name in env}
        os.environ.update(env)
        try:  # `muster dev` is born with the database's clock, as it starts the database; itself it measures by the monotonic one
            super().__init__(nats, sync_always, **settings)
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})

    def _file(self, name):
        return os.path.join(self.clocks, name)

    def step(self, name, seconds):
        """From now on the clock of that program (or of "postgres") is so far from the true one."""
        clocks.step(self._file(name), seconds)

    def run(self, name, binary, sets=None, env=None, ready=True):
        if not os.path.exists(self._file(name)):
            self.step(name, 0)
        return super().run(name, binary, sets, dict(env or {}, **clocks.environment(self._file(name))), ready)

    def close(self):
        try:
            super().close()
        finally:
            shutil.rmtree(self.clocks, ignore_errors=True)
