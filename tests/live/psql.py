# SPDX-License-Identifier: Apache-2.0
"""A psql that stays: starting one for each question would cost more than the questions. Standard library only."""
import csv
import subprocess
import tempfile

END = "--end-of-answer--"


class Ended(Exception):
    """The session is over: by an error of the statement (`refused`), or because the server is not there."""

    def __init__(self, text):
        super().__init__(text)
        self.refused = "ERROR:" in text


class Psql:
    def __init__(self, conninfo):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(["psql", conninfo, "-X", "-q", "--csv", "-t", "-v", "ON_ERROR_STOP=1"], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)

    def rows(self, query):
        """Rows as lists of texts; null is an empty one."""
        try:
            self.process.stdin.write(f"{query}\n;\n\\echo {END}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended, and says why
        lines = []
        for line in self.process.stdout:
            if line == END + "\n":
                return list(csv.reader(lines))
            lines.append(line)
        self.process.wait()
        self.errors.seek(0)
        raise Ended(self.errors.read())

    def close(self):
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.errors):
            try:
                pipe.close()
            except BrokenPipeError:
                pass
