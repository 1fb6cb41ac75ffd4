# SPDX-License-Identifier: Apache-2.0
"""A scratch PostgreSQL for tests: a private cluster on a Unix socket, removed at the end, and psql sessions that are
spoken to. Standard library only; when run as root, the server runs as user postgres or nobody."""
import glob
import os
import pwd
import shutil
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MIGRATIONS = sorted(glob.glob(os.path.join(ROOT, "sql", "migrations", "*.sql")))
END = "--end-of-answer--"


def server_programs():
    """The folder of the newest installed server, or None."""
    folders = glob.glob("/usr/lib/postgresql/*/bin")
    found = [f for f in folders if os.path.exists(os.path.join(f, "initdb"))]
    if found:
        return max(found, key=lambda f: int(f.split("/")[-2]))
    initdb = shutil.which("initdb")
    return os.path.dirname(initdb) if initdb else None


class SqlError(Exception):
    """What the server answered instead of rows; `code` is the SQLSTATE."""

    def __init__(self, text):
        super().__init__(text)
        self.code = text.split(":")[1].strip() if text.count(":") > 1 else ""


class Session:
    """One psql on a pipe: rows are lists of texts, null is None."""

    def __init__(self, cluster, database, user):
        self.process = subprocess.Popen(
            ["psql", "-X", "-q", "-A", "-t", "-F", "\x1f", "-R", "\x1e", "-P", "null=\\N", "-v", "VERBOSITY=verbose",
             "-h", cluster.socket, "-U", user, "-d", database],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1,
            env=dict(os.environ, PGOPTIONS="-c client_min_messages=warning -c timezone=UTC"))

    def send(self, sql):
        self.process.stdin.write(sql.rstrip().rstrip(";") + "\n;\n\\echo " + END + "\n")
        self.process.stdin.flush()

    def answer(self):
        lines = []
        for line in self.process.stdout:
            if line.rstrip("\n").endswith(END):
                lines.append(line.rstrip("\n")[:-len(END)])
                break
            lines.append(line)
        else:
            raise AssertionError("psql ended:\n" + "".join(lines))
        text = "".join(lines)
        at = text.find("ERROR:") if "ERROR:" in text else text.find("FATAL:")
        if at >= 0:
            raise SqlError(text[at:].strip())
        text = text.rstrip("\n")
        if not text:
            return []
        return [[None if v == "\\N" else v for v in row.split("\x1f")] for row in text.split("\x1e")]

    def rows(self, sql):
        self.send(sql)
        return self.answer()

    def one(self, sql):
        rows = self.rows(sql)
        return rows[0][0] if rows else None

    def fails(self, sql):
        """The SQLSTATE with which a statement is refused, or None if it is not."""
        try:
            self.rows(sql)
        except SqlError as error:
            return error.code
        return None

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(10)


class Cluster:
    def __init__(self, *settings):
        """settings: further lines of postgresql.conf."""
        self.bin = server_programs()
        self.dir = tempfile.mkdtemp(prefix="mu-sql-")
        self.prefix = []
        if os.geteuid() == 0:
            names = {p.pw_name for p in pwd.getpwall()}
            user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
            os.chown(self.dir, user.pw_uid, user.pw_gid)
            self.prefix = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        self.socket, self.data = self.dir, os.path.join(self.dir, "data")
        self._run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
        with open(os.path.join(self.data, "postgresql.conf"), "a") as conf:
            conf.write(f"listen_addresses = ''\nunix_socket_directories = '{self.socket}'\nfsync = off\n"
                       "max_connections = 20\nshared_buffers = 64MB\n" + "".join(line + "\n" for line in settings))
        self._run("pg_ctl", "-D", self.data, "-l", os.path.join(self.dir, "log"), "-w", "-t", "60", "start")
        self.sessions = []

    def _run(self, program, *arguments):
        done = subprocess.run([*self.prefix, os.path.join(self.bin, program), *arguments], cwd=self.dir,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise AssertionError(f"{program} failed:\n{done.stdout}")

    def session(self, database="postgres", user="postgres"):
        self.sessions.append(Session(self, database, user))
        return self.sessions[-1]

    def migrate(self, database, user="postgres"):
        """Applies every migration as a person would: psql -1 -f."""
        for path in MIGRATIONS:
            done = subprocess.run(["psql", "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-h", self.socket, "-U", user,
                                   "-d", database, "-f", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode:
                raise AssertionError(f"{os.path.basename(path)}:\n{done.stdout}")

    def close(self):
        for session in self.sessions:
            session.close()
        if os.path.exists(os.path.join(self.data, "postmaster.pid")):
            self._run("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.dir, ignore_errors=True)
