# SPDX-License-Identifier: Apache-2.0
"""The rows of one quarter, as the programs would have left them: jobs of records, files that come (or come late, or empty),
their plans and shards, findings, tallies, dead letters and their retries. Text for COPY, a list of lines per table."""
import datetime
import random

from world import DAY, DESKS, HOURS, TENANTS, derived, millis, sha, uuid_text

COLUMNS = {
    "job": "job_id, job_key, body, task_digest, stage, queue, priority, pack, terms_digest, source_name, as_of, deadline, labels, n, "
           "cancelled, actor, submitted_at",
    "task": "task_id, job_id, stage, attempt, shard_index, body, task_digest, queue, priority, n, retry_of, created_at",
    "outcome": "task_id, job_id, n, delivery, task_digest, input_digest, result, reason, message, records, bad, skipped, bytes, "
               "findings_total, tally_id, plan, resumes, crashes, agent, incarnation, determined, started_at, finished_at, recorded_at",
    "tally": "tally_id, rules",
    "finding": "finding_id, task_id, job_id, task_digest, input_digest, fingerprint, rule, severity, outcome, shadow, record_no, "
               "byte_off, length, line, subject, message, evidence, recorded_at",
    "terms": "terms_digest, document, first_at",
    "request": "key, job_id, body_digest, created_at",
    "job_progress": "job_id, stage, expected, done, bad, records_expected, result, reason, finished_at",
    "deadline": "at, job_id",
    "outbox": "ride_id, n, kind, subject, message_id, members, bytes, created_at, published_at, stream_created, sequence",
}
PARTITIONED = ("job", "task", "outcome", "tally", "finding")
# how a task ends without a verdict: result, reason, message, agents that died on it
DEAD = [("error", "source_missing", "the file is below none of the data roots", 0, 30),
        ("error", "source_unreadable", "gzip: the data ends too early, at byte 81920", 0, 8),
        ("error", "source_changed", "the file is another one than when the task was begun", 0, 6),
        ("error", "limit_record_bytes", "record 17 has more than 1 MiB", 0, 4),
        ("exhausted", "retries", "the connection was closed", 0, 10),
        ("exhausted", "crashed", "five agents died on it at the same place", 5, 5),
        ("error", "list_missing", "list sanctions is not in the bucket", 0, 4),
        ("rejected", "bad_task", "/source/format: no such format", 0, 4),
        ("rejected", "pack_unknown_function", "rule KYC.KNOWN: no function known_to()", 0, 3)]
CLOCK = [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(86400)]
NULL = r"\N"


def stamp(ms):
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc).isoformat(timespec="milliseconds")


class Quarter:
    def __init__(self, world, name, days):
        self.world, self.name, self.days = world, name, days
        self.rng = random.Random(f"{world.seed} {name}")
        self.bits = self.rng.getrandbits
        self.lines = {table: [] for table in COLUMNS}
        self.counts = dict.fromkeys(COLUMNS, 0)

    def batches(self):
        """Lines by table, some days at a time; within a table in the order of the ids, more or less."""
        for day in self.days:
            self._day(day)
            if len(self.lines["job"]) > 20000:
                yield self._taken()
        yield self._taken()

    def _taken(self):
        taken, self.lines = self.lines, {table: [] for table in COLUMNS}
        for table, lines in taken.items():
            self.counts[table] += len(lines)
        return taken

    # ---- ids and what a day has in common ----
    def _id(self, ms):
        return uuid_text(f"{ms:012x}7{self.bits(12):03x}{1 << 63 | self.bits(62):016x}")

    def _hex(self):
        return f"{self.bits(256):064x}"

    def _day(self, day):
        self.ms, self.date = millis(day), day.date().isoformat()
        self.tally_ids, self.terms_known = {}, {}
        self.incarnation = {a: self._id(self.ms + self.bits(16)) for a in self.world.agents}
        self.now = {p: self.world.edition(p, day) for p in self.world.packs}
        for p, e in self.now.items():  # whatever is not asked for on this day costs nothing
            self._terms(e, day)
        self._records(day)
        if day in self.world.working_no:
            for feed in self.world.feeds:
                self._delivery(feed, day)

    def _terms(self, edition, day):
        known = self.terms_known.get(edition.name)
        if known is None:
            text = self.world.terms(edition, day)
            known = self.terms_known[edition.name] = sha(text)
            self.lines["terms"].append(f"\\\\x{known}\t{text}\t{stamp(self.ms)}\n")
        return known

    def _tally(self, tally):
        """As the recorder: equal counters stand once a day."""
        made = self.tally_ids.get(tally[1])
        if made is None:
            made = self.tally_ids[tally[1]] = derived(self.ms, tally[1])
            self.lines["tally"].append(f"{made}\t{tally[0]}\n")
        return made

    # ---- jobs of some records: most of what there is ----
    def _records(self, day):
        world, rng, bits = self.world, self.rng, self.bits
        count = int(world.share * world.weights[day] + rng.random())
        random01 = rng.random
        at = sorted((h + random01()) * 3600000 for h in rng.choices(range(24), HOURS, k=count))
        last_day = day == world.days[-1]
        job_lines, outcome_lines = self.lines["job"], self.lines["outcome"]
        kinds = []
        for i, pack in enumerate(world.packs):
            for tenant in TENANTS:
                for priority, weight in (("high", 2), ("normal", 7), ("low", 1)):
                    e = self.now[pack]
                    queue = world.queues[i % len(world.queues)]
                    labels = f'{{"tenant":"{tenant}","desk":"{DESKS[(i + len(tenant)) % len(DESKS)]}"}}'
                    slow = {"high": 0.15, "normal": 1.0, "low": 6.0}[priority] * (1 + i % len(world.queues))
                    kinds.append((weight * (4 if i == 0 else 1), e, self._terms(e, day), queue, priority, labels, slow))
        weights = [k[0] for k in kinds]
        agents = world.agents
        for offset, kind in zip(at, rng.choices(kinds, weights, k=count)):
            _, e, terms, queue, priority, labels, slow = kind
            ms = self.ms + int(offset)
            second = int(offset) // 1000
            job = self._id(ms)
            records = 1 + bits(2) % 3
            body = (f'{{"v":1,"task_id":"{job}","stage":"scan","terms":"{terms}","records":[{{"id":"K{bits(20)}","amount":"{bits(16)}.{bits(6):02d}"}}'
                    + f',{{"id":"K{bits(20)}","amount":"1.00"}}' * (records - 1) + "]}")
            digest = sha(body)
            key = NULL
            if bits(5) == 0:
                key = f"order-{job[:13]}-{job[24:]}"
                self.lines["request"].append(f"{key}\t{job}\t\\\\x{digest}\t{self.date} {CLOCK[second]}+00\n")
            dice = random01()
            cancelled = dice < 0.0002
            job_lines.append(f"{job}\t{key}\t{body}\t\\\\x{digest}\tscan\t{queue}\t{priority}\t{e.name}\t\\\\x{terms}\trecords\t{self.date}\t{NULL}\t"
                             f"{labels}\t1\t{'t' if cancelled else 'f'}\tsubmitter\t{self.date} {CLOCK[second]}.{ms % 1000:03d}+00\n")
            if last_day and second > 86000:  # not done yet
                self._waits(job, queue, priority, body, ms)
                continue
            wait = int(rng.expovariate(1 / slow) * 40 * HOURS[second // 3600]) + 3
            began = int(offset) + wait
            ended = began + 1 + bits(4)
            if ended >= 86390000:  # across midnight the quick form of a time does not do
                began, ended = 86389000, 86389500
            times = (f"{self.date} {CLOCK[began // 1000]}.{began % 1000:03d}+00\t{self.date} {CLOCK[ended // 1000]}.{ended % 1000:03d}+00\t"
                     f"{self.date} {CLOCK[(ended + 9) // 1000]}.{(ended + 9) % 1000:03d}+00\n")
            agent = agents[bits(16) % len(agents)]
            if cancelled:
                self._ended(job, job, 1, digest, "cancelled", "operator", "the desk asked for it", times)
            elif dice < 0.0008:
                result, reason, message, crashes, _ = DEAD[4 + bits(8) % 2]
                self._ended(job, job, 1, digest, result, reason, message, times, agent, crashes)
            elif dice < 0.0008 + world.fail_rate:
                rule = rng.choices(e.rules, [r.weight for r in e.rules])[0]
                failed = 1 + (records > 1 and bits(1))
                tally = e.tally(records, ((rule.id, failed),))
                found = self._hex()
                for k in range(failed):
                    self._finding(job, job, digest, found, "records", e, rule, k + 1, f"K{bits(20)}", 26 * k, 24, times[-31:-1].split("\t")[-1])
                outcome_lines.append(f"{job}\t{job}\t1\t1\t\\\\x{digest}\t\\\\x{found}\t{tally[2]}\t{NULL}\t{NULL}\t{records}\t0\t0\t{records * 26}\t{failed}\t"
                                     f"{self._tally(tally)}\t{NULL}\t{NULL}\t0\t{agent}\t{self.incarnation[agent]}\t\\\\x{bits(256):064x}\t{times}")
            else:
                tally = e.tally(records, ())
                again = 1 + (dice > 0.995)
                outcome_lines.append(f"{job}\t{job}\t1\t{again}\t\\\\x{digest}\t\\\\x{bits(256):064x}\t{tally[2]}\t{NULL}\t{NULL}\t{records}\t0\t0\t{records * 26}\t0\t"
                                     f"{self._tally(tally)}\t{NULL}\t{NULL}\t0\t{agent}\t{self.incarnation[agent]}\t\\\\x{bits(256):064x}\t{times}")

    # ---- files ----
    def _delivery(self, feed, day):
        rng, world = self.rng, self.world
        at = self.ms + (feed.hour * 60 + feed.minute) * 60000 + int(rng.gauss(0, 240000))
        due = self.ms + (feed.hour * 60 + feed.minute + 90) * 60000
        dice = rng.random()
        if dice < 0.004:
            return  # did not come at all
        late = 0.004 <= dice < 0.03
        if late:
            at += rng.randrange(60, 180) * 60000
        empty = 0.03 <= dice < 0.036
        at = max(self.ms, min(at, self.ms + 86000000))
        e = world.edition(feed.pack, day, feed.pinned)
        terms = self._terms(e, day)
        job = self._id(at)
        key = f"{feed.name}-{self.date}"
        body = (f'{{"v":1,"task_id":"{job}","stage":"plan","terms":"{terms}","source":{{"uri":"file:{feed.name}/{self.date}.csv","format":"csv",'
                f'"name":"{feed.name}"}}}}')
        digest = sha(body)
        # who submits it knows of the deadline, which counts from when the file should be there
        deadline = stamp(max(due, at + 600000)) if feed.deadline else NULL
        missed = feed.deadline and late and rng.random() < 0.5
        cancelled = 0.05 <= dice < 0.0515
        n = 2 if dice > 0.99 else 1
        labels = f'{{"tenant":"{feed.tenant}","desk":"{feed.desk}","feed":"{feed.number}"}}'
        self.lines["job"].append(f"{job}\t{key}\t{body}\t\\\\x{digest}\tplan\t{feed.queue}\t{feed.priority}\t{e.name}\t\\\\x{terms}\t{feed.name}\t{self.date}\t"
                                 f"{deadline}\t{labels}\t{n}\t{'t' if cancelled else 'f'}\tsubmitter\t{stamp(at)}\n")
        self.lines["request"].append(f"{key}\t{job}\t\\\\x{digest}\t{stamp(at)}\n")
        began = at + int(rng.expovariate(1 / 20000)) + 50
        if day == world.days[-1] and feed.hour >= 18:
            if feed.deadline:
                self.lines["deadline"].append(f"{stamp(max(due, at + 600000))}\t{job}\n")
            self._waits(job, feed.queue, feed.priority, body, at)
        elif cancelled:
            self._ended(job, job, n, digest, "cancelled", "operator", "wrong file", self._times(began, began))
        elif missed:
            over = max(due, at + 600000)
            self._ended(job, job, n, digest, "error", "deadline", "the deadline of the job has passed", self._times(over, over))
        elif 0.06 <= dice < 0.072:
            self._dead_file(feed, e, job, n, body, digest, day, began)
        elif empty:
            self._computed(feed, e, job, job, n, digest, began, 0, 0, [])
        elif feed.shards:
            self._planned(feed, e, job, n, body, digest, terms, day, began)
        else:
            self._computed(feed, e, job, job, n, digest, began, feed.records + rng.randrange(-50, 50), 0, self._flaws(feed, e, day))

    def _flaws(self, feed, e, day):
        """(rule, key, place from 0 to 1) of what is wrong on this day."""
        no = self.world.working_no[day]
        made = []
        for begin, end, which, key in feed.flaws:
            if begin > no:
                break
            if end > no:
                total, at = sum(r.weight for r in e.rules), 0.0
                for rule in e.rules:
                    at += rule.weight / total
                    if which < at:
                        break
                made.append((rule, f"T{key:010x}", (key % 9973) / 9973))
        return list({(r.id, k): (r, k, p) for r, k, p in made}.values())

    def _times(self, began, ended):
        return f"{stamp(began)}\t{stamp(ended)}\t{stamp(ended + 12)}\n"

    def _computed(self, feed, e, task, job, n, digest, began, records, first, flaws):
        """An outcome with a verdict, and its findings; the result and when it ended."""
        rng = self.rng
        size = records * 92 + 40
        ended = began + 200 + records // 40
        agent = rng.choice(self.world.agents)
        found = self._hex()
        fails = {}
        for rule, _, _ in flaws:
            fails[rule.id] = fails.get(rule.id, 0) + 1
        tally = e.tally(records, tuple(sorted(fails.items())))
        recorded = stamp(ended + 12)
        for rule, key, place in flaws:
            record = int(place * records) + 1
            self._finding(task, job, digest, found, feed.name, e, rule, first + record, key, record * 92, 92, recorded)
        resumes, delivery, crashes = NULL, 1, 0
        if records > 5000 and rng.random() < 0.03:
            delivery, crashes = 2, rng.randrange(2)
            resumes = (f'[{{"agent":"{agent}","from_agent":"{rng.choice(self.world.agents)}","record_no":{first + records // 2},'
                       f'"byte_off":{size // 2}}}]')
        self.lines["outcome"].append(
            f"{task}\t{job}\t{n}\t{delivery}\t\\\\x{digest}\t\\\\x{found}\t{tally[2]}\t{NULL}\t{NULL}\t{records}\t0\t0\t{size}\t{len(flaws)}\t{self._tally(tally)}\t{NULL}\t"
            f"{resumes}\t{crashes}\t{agent}\t{self.incarnation[agent]}\t\\\\x{self._hex()}\t{self._times(began, ended)}")
        return tally[2], ended

    def _finding(self, task, job, digest, found, source, e, rule, record, key, offset, length, recorded):
        print_of = sha(f"{e.pack}|{rule.id}|{source}|{key}")
        self.lines["finding"].append(
            f"{derived(int(task[:8] + task[9:13], 16), sha(f'{task}|{rule.id}|{record}|{key}'))}\t{task}\t{job}\t\\\\x{digest}\t\\\\x{found}\t\\\\x{print_of}\t"
            f"{rule.id}\t{rule.severity}\tfail\t{'t' if 'mode' in rule.head else 'f'}\t{record}\t{offset}\t{length}\t{record + 1}\t{key}\t{rule.message}\t"
            f'{{"columns":{{"id":"{key}"}},"lists":{{}}}}\t{recorded}\n')

    def _planned(self, feed, e, job, n, body, digest, terms, day, began):
        rng = self.rng
        each = feed.records // feed.shards + rng.randrange(-20, 20)
        whole = self._hex()
        shards = [{"from": i * each * 92, "to": (i + 1) * each * 92, "first_record": i * each + 1, "first_line": i * each + 2, "records": each,
                   "digest": self._hex()} for i in range(feed.shards)]
        plan = (f'{{"size":{each * feed.shards * 92},"digest":"{whole}","records":{each * feed.shards},"shard_bytes":67108864,"shards":['
                + ",".join(str(s).replace("'", '"') for s in shards) + "]}")
        ended = began + 900
        agent = rng.choice(self.world.agents)
        self.lines["outcome"].append(
            f"{job}\t{job}\t{n}\t1\t\\\\x{digest}\t\\\\x{whole}\tplanned\t{NULL}\t{NULL}\t0\t0\t0\t{each * feed.shards * 92}\t0\t{NULL}\t{plan}\t{NULL}\t0\t{agent}\t"
            f"{self.incarnation[agent]}\t\\\\x{self._hex()}\t{self._times(began, ended)}")
        flaws = self._flaws(feed, e, day)
        results, last = set(), ended
        for i, shard in enumerate(shards):
            task = derived(int(job[:8] + job[9:13], 16), sha(f"{job}|{whole}|scan|{i}|1"))
            text = (f'{{"v":1,"task_id":"{task}","job_id":"{job}","stage":"scan","terms":"{terms}","source":{{"uri":"file:{feed.name}/{self.date}.csv",'
                    f'"format":"csv","name":"{feed.name}"}},"shard":{{"index":{i},"count":{feed.shards},"records":{each}}},"plan_task_id":"{job}"}}')
            shard_digest = sha(text)
            self.lines["task"].append(f"{task}\t{job}\tscan\t1\t{i}\t{text}\t\\\\x{shard_digest}\t{feed.queue}\t{feed.priority}\t1\t{NULL}\t{stamp(ended + 12)}\n")
            mine = [(r, k, p * feed.shards - i) for r, k, p in flaws if i <= p * feed.shards < i + 1]
            result, done = self._computed(feed, e, task, job, 1, shard_digest, ended + 500 + rng.randrange(9000), each, i * each, mine)
            results.add(result)
            last = max(last, done)
        self.lines["job_progress"].append(f"{job}\tscan\t{feed.shards}\t{feed.shards}\t0\t{each * feed.shards}\t{'fail' if 'fail' in results else 'pass'}\t{NULL}\t"
                                          f"{stamp(last + 12)}\n")

    def _dead_file(self, feed, e, job, n, body, digest, day, began):
        """It ends without a verdict; half of them are tried again by hand some hours later."""
        rng = self.rng
        result, reason, message, crashes, _ = rng.choices(DEAD, [d[4] for d in DEAD])[0]
        agent = rng.choice(self.world.agents)
        self._ended(job, job, n, digest, result, reason, message, self._times(began, began + 400), agent, crashes)
        if rng.random() < 0.5:
            return
        task = derived(int(job[:8] + job[9:13], 16), sha(f"{job}||plan||2"))
        text = f'{{"v":1,"task_id":"{task}","job_id":"{job}"' + body[len('{"v":1,"task_id":""') + 36:]
        again = sha(text)
        at = began + rng.randrange(1, 5) * 3600000
        self.lines["task"].append(f"{task}\t{job}\tplan\t2\t{NULL}\t{text}\t\\\\x{again}\t{feed.queue}\t{feed.priority}\t1\t{job}\t{stamp(at)}\n")
        if rng.random() < 0.2:
            self._ended(task, job, 1, again, result, reason, message, self._times(at + 900, at + 1300), agent, crashes)
            verdict, ended, why, bad = result, at + 1300, reason, 1
        else:
            verdict, ended = self._computed(feed, e, task, job, 1, again, at + 900, feed.records, 0, self._flaws(feed, e, day))
            why, bad = NULL, 0
        self.lines["job_progress"].append(f"{job}\tfirst\t1\t1\t{bad}\t{NULL}\t{verdict}\t{why}\t{stamp(ended + 12)}\n")

    def _ended(self, task, job, n, digest, result, reason, message, times, agent=None, crashes=0):
        """An outcome without a verdict; without an agent it is an administrative one."""
        who = f"{agent}\t{self.incarnation[agent]}" if agent else f"{NULL}\t{NULL}"
        self.lines["outcome"].append(f"{task}\t{job}\t{n}\t{crashes + 1}\t\\\\x{digest}\t{NULL}\t{result}\t{reason}\t{message}\t0\t0\t0\t0\t0\t{NULL}\t{NULL}\t{NULL}\t{crashes}\t"
                                     f"{who}\t\\\\x{sha(f'{result}:{reason}')}\t{times}")

    def _waits(self, job, queue, priority, body, ms):
        self.lines["outbox"].append(f"{job}\t1\ttask\tmuster.task.{queue}.{priority}.{job}\t{job}:1\t{{{job}}}\t{body}\t{stamp(ms)}\t{stamp(ms + 3)}\t"
                                    f"2026-01-01T00:00:00Z\t{ms % 1000000 + 1}\n")
