// pg-boss as a subject of the comparison; the protocol is bench/inprocess/worker.cpp's.
// pgboss.mjs URL migrate | fill COUNT SIZE TEXT | run default|tuned COUNT LIMIT_S | stamps default|tuned | statement default|tuned
import { PgBoss } from "pg-boss";
import { Progress, batches, pool, stamped, untilTheEnd } from "./subject.mjs";

const [url, command, ...rest] = process.argv.slice(2);
const boss = new PgBoss({ connectionString: url, useListenNotify: rest[0] === "tuned" });
boss.on("error", (error) => console.error(error));
// https://pgboss.io/api/workers: batches, the next one at once while they come back full, woken by NOTIFY
const settings = {
    default: {},
    tuned: { batchSize: 2000, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 },
};
// a queue is told apart by its settings: only the tuned ones notify
const queue = (name, kind) => (kind === "tuned" ? `${name}_tuned` : name);

if (command === "statement") {
    // what boss.send() executes, for a producer that is no Node
    const { insertJobs } = await import(new URL("dist/plans.js", import.meta.resolve("pg-boss/package.json")));
    console.log(insertJobs("pgboss", { table: "job_common", name: queue("stamp", rest[0]), notify: rest[0] === "tuned" }));
    process.exit(0);
}
await boss.start();
if (command === "migrate") {
    for (const name of ["nothing", "stamp"])
        for (const kind of Object.keys(settings)) await boss.createQueue(queue(name, kind), { notify: kind === "tuned" });
} else if (command === "fill") {
    const [kind, ...how] = rest;
    await batches(how, (payloads) => boss.insert(queue("nothing", kind), payloads.map((data) => ({ data }))));
} else if (command === "run") {
    const [kind, count, limit] = rest;
    const progress = new Progress(Number(count), Number(limit));
    await boss.work(queue("nothing", kind), settings[kind], async (jobs) => progress.called(jobs.length));
    const sql = pool(url, 1);
    const left = "SELECT EXISTS (SELECT FROM pgboss.job WHERE name LIKE 'nothing%' AND state < 'completed') AS left";
    await progress.end(async () => !(await sql.query(left)).rows[0].left);
    await sql.end();
} else {
    await boss.work(queue("stamp", rest[0]), settings[rest[0]], async (jobs) => jobs.forEach((job) => stamped(job.data.sent)));
    await untilTheEnd();
}
await boss.stop({ graceful: false });
process.exit(0);
