"""One host: a booted systemd with a pool, and its own way to the database. Processes are killed from outside, by pidfd."""
import glob
import json
import os
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
# LeakSanitizer looks at the process through a helper that traces it, which the unit's sandbox forbids.
SANITIZED = "SystemCallFilter=@debug\n"
BOOT = os.path.join(HERE, "..", "system", "boot.sh")
POOL = "chaos"
UNIT = f"dormouse@{POOL}"
TASKS = ("quick", "slow", "flaky", "doomed", "snooze", "stubborn", "forker")


class Host:
    def __init__(self, name, work, build, options):
        self.name, self.options = name, options
        self.state = os.path.join(work, "host-" + name)
        self.network = os.path.join(work, "net-" + name)
        os.mkdir(self.network)
        self.environment = dict(
            os.environ, DORMOUSE_SYSTEM_STATE=self.state, DORMOUSE_BUILD=build, DORMOUSE_SYSTEM_POSTGRES="no",
            DORMOUSE_SYSTEM_BINDS=f"{work}/shared:/srv/chaos {self.network}:/srv/chaos-database")
        self.reports = None
        if sanitized(build):  # each process that has something to say leaves a file; a loop with an open handle aborts
            self.reports = os.path.join(work, "shared", "sanitizer-" + name)
            os.mkdir(self.reports)
            os.chmod(self.reports, 0o777)
            log = f"log_path=/srv/chaos/sanitizer-{name}/report"
            self.environment |= {"ASAN_OPTIONS": log + ":handle_abort=1:detect_leaks=1", "UBSAN_OPTIONS": log + ":print_stacktrace=1"}
        self.leader = None
        self.proxy = None
        self.children = []

    # --- the container -------------------------------------------------------------------------------------------------
    def boot(self):
        """Begins to boot; booted() waits for it."""
        return subprocess.Popen([BOOT, "start"], env=self.environment)

    def booted(self, upstream):
        with open(os.path.join(self.state, "leader"), encoding="utf-8") as file:
            self.leader = int(file.read().split()[0])
        self.proxy = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "proxy.py"), os.path.join(self.network, ".s.PGSQL.5432"), upstream],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.proxy.stdout.readline()

    def power_off(self):
        if self.proxy:
            self.proxy.stdin.close()
            self.proxy.wait()
        subprocess.run([BOOT, "stop"], env=self.environment, check=False)

    def run(self, *command, quiet=False):
        return subprocess.run([BOOT, "exec", *command], env=self.environment, check=True, stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.DEVNULL if quiet else None).stdout

    def begin(self, *command):
        """Runs it inside and does not wait for it."""
        self.children = [child for child in self.children if child.poll() is None]
        self.children.append(subprocess.Popen([BOOT, "exec", *command], env=self.environment, stdout=subprocess.DEVNULL,
                                              stderr=subprocess.DEVNULL))

    def systemctl(self, *arguments):
        self.begin("systemctl", "--no-block", *arguments)

    def root(self, path):
        return f"/proc/{self.leader}/root{path}"

    # --- the pool ------------------------------------------------------------------------------------------------------
    def configure(self):
        tasks = "".join(f'[task.{task}]\nhandler = "exec"\ncommand = ["/bin/bash", "/srv/chaos/handler.sh", "{self.name}", "{task}"]\n'
                        f'max_attempts = {2 if task == "doomed" else 500}\nbackoff = {{ base = "100ms", max = "1s" }}\n' for task in TASKS)
        tasks += f'[task.light]\nhandler = "exec"\ncommand = ["/bin/sh", "/srv/chaos/light.sh", "{self.name}"]\n'
        with open(self.root(f"/etc/dormouse/{POOL}.toml"), "w", encoding="utf-8") as file:
            file.write('[database]\nurl = "postgresql://pool@/chaos?host=/srv/chaos-database"\nretry_max = "1s"\nconnect_timeout = "3s"\n'
                       f'[worker]\nlease = "4s"\nshutdown_grace = "1s"\n{self.options}\n{tasks}')
        drop_in = self.root(f"/etc/systemd/system/{UNIT}.service.d")
        os.makedirs(drop_in)
        with open(drop_in + "/chaos.conf", "w", encoding="utf-8") as file:  # no watchdog: a stopped worker is to come back as a zombie
            file.write("[Service]\nWatchdogSec=0\nReadWritePaths=/srv/chaos\nLogRateLimitIntervalSec=0\n")
            if self.reports:
                file.write(SANITIZED + "".join(f"Environment={name}={self.environment[name]}\n" for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS")))
        self.run("systemctl", "daemon-reload")

    def group(self):
        with open(f"/proc/{self.leader}/cgroup", encoding="utf-8") as file:
            own = next(line.strip()[3:] for line in file if line.startswith("0::"))
        with open("/proc/mounts", encoding="utf-8") as file:
            top = next(line.split()[1] for line in file if line.split()[2] == "cgroup2")
        return f"{top}{own.removesuffix('/init.scope')}/system.slice/system-dormouse.slice/{UNIT}.service"

    def pids(self, below):
        """Of the cgroups that match, which are relative to the service's."""
        found = []
        for path in glob.glob(f"{self.group()}/{below}/cgroup.procs"):
            try:
                with open(path, encoding="utf-8") as file:
                    found += [int(line) for line in file]
            except OSError:
                pass  # its run is over
        return found

    def worker(self):
        """The pid, or none."""
        for pid in self.pids("."):
            try:
                with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
                    if file.read() == "dormouse\n":
                        return pid
            except OSError:
                pass
        return None

    def handlers(self):
        return self.pids("run-*")

    def kill(self, pid, number=signal.SIGKILL):
        """A pidfd of what was killed, or none."""
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            return None
        if pid not in self.pids(".") + self.handlers():  # somebody else's by now
            os.close(descriptor)
            return None
        return descriptor if send(descriptor, number) else None

    # --- its doors -----------------------------------------------------------------------------------------------------
    def network_is(self, mode):
        self.proxy.stdin.write(mode + "\n")
        self.proxy.stdin.flush()

    def ring(self):
        try:
            with socket.socket(socket.AF_UNIX) as doorbell:
                doorbell.settimeout(1)
                doorbell.connect(self.root(f"/run/dormouse/{POOL}.sock"))
                return True
        except OSError:
            return False  # the target is stopped

    def spool(self, run, task, payload):
        """False: there is no spool yet."""
        directory = self.root(f"/var/spool/dormouse/{POOL}")
        try:
            with open(f"{directory}/.{run}.json", "w", encoding="utf-8") as file:
                json.dump({"task": task, "payload": payload}, file)
            os.chmod(f"{directory}/.{run}.json", 0o664)
            os.rename(f"{directory}/.{run}.json", f"{directory}/{run}.json")
        except FileNotFoundError:
            return False
        return True

    def spooled(self):
        return len(glob.glob(self.root(f"/var/spool/dormouse/{POOL}/*.json")))

    def rejected(self):
        return len(glob.glob(self.root(f"/var/spool/dormouse/{POOL}.rejected/*.json")))

    def sanitizer_reports(self):
        """What sanitizers have said about worker, helper and command line, one string for each process."""
        found = []
        for path in sorted(glob.glob(f"{self.reports}/*")) if self.reports else []:
            with open(path, encoding="utf-8", errors="replace") as file:
                found.append(f"host {self.name}: {os.path.basename(path)}: " + " | ".join(file.read().split("\n")[:40]))
        return found

    def journal(self):
        """The events of the pool: dictionaries with event, run and text."""
        text = self.run("journalctl", "--quiet", "--no-pager", "--output=json", f"--unit={UNIT}.service",
                        "--output-fields=DORMOUSE_EVENT,DORMOUSE_RUN_ID,MESSAGE")
        for line in text.splitlines():
            entry = json.loads(line)
            yield {"event": entry.get("DORMOUSE_EVENT", ""), "run": entry.get("DORMOUSE_RUN_ID", ""), "text": entry.get("MESSAGE", ""),
                   "time": int(entry["__REALTIME_TIMESTAMP"]) / 1e6, "host": self.name}

    def answers_rings(self, seconds):
        """Whether a ring starts the worker that is not there."""
        self.run("systemctl", "stop", f"{UNIT}.service", quiet=True)  # it warns of the doorbells, which are what is meant
        before = self.run("systemctl", "show", "--value", "--property=InvocationID", f"{UNIT}.service")
        self.run("dormouse", "wake", POOL)
        return wait_until(seconds, lambda: self.run("systemctl", "show", "--value", "--property=InvocationID",
                                                    f"{UNIT}.service") not in (before, "\n"))


def sanitized(build):
    """Whether that is a build with sanitizers."""
    with open(os.path.join(build, "CMakeCache.txt"), encoding="utf-8") as file:
        return "DORMOUSE_SANITIZE:BOOL=ON\n" in file


def send(descriptor, number):
    try:
        signal.pidfd_send_signal(descriptor, number)
        return True
    except OSError:
        os.close(descriptor)
        return False


def wait_until(seconds, condition):
    """For rows in a table, cgroups and units that somebody else starts, of which nobody tells a process outside: looks every 50 ms."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
