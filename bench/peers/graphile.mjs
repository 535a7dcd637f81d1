// graphile-worker as a subject of the comparison; the protocol is bench/inprocess/worker.cpp's.
// graphile.mjs URL migrate | fill COUNT SIZE TEXT | run default|tuned COUNT LIMIT_S | stamps default|tuned
import { makeWorkerUtils, run, runMigrations, Logger } from "graphile-worker";
import { Progress, batches, pool, stamped, untilTheEnd } from "./subject.mjs";

const [url, command, ...rest] = process.argv.slice(2);
const silent = new Logger(() => () => {});
// https://worker.graphile.org/docs/performance: a queue in the process, completions in batches, no wait between fetches
const settings = {
    default: {},
    tuned: {
        preset: {
            worker: {
                concurrentJobs: 24,
                maxPoolSize: 25,
                localQueue: { size: 500, refetchDelay: { durationMs: 10 } },
                completeJobBatchDelay: 0,
                failJobBatchDelay: 0,
            },
        },
    },
};
const start = (kind, taskList) =>
    run({ connectionString: url, logger: silent, noHandleSignals: true, taskList, ...settings[kind] });

if (command === "migrate") {
    await runMigrations({ connectionString: url, logger: silent });
} else if (command === "fill") {
    const utils = await makeWorkerUtils({ connectionString: url, logger: silent });
    await batches(rest, (payloads) => utils.addJobs(payloads.map((payload) => ({ identifier: "nothing", payload }))));
    await utils.release();
} else if (command === "run") {
    const [kind, count, limit] = rest;
    const progress = new Progress(Number(count), Number(limit));
    const runner = await start(kind, { nothing: () => progress.called() });
    const sql = pool(url, 1);
    const left = "SELECT EXISTS (SELECT FROM graphile_worker._private_jobs) AS left";
    await progress.end(async () => !(await sql.query(left)).rows[0].left);
    await sql.end();
    await runner.stop();
} else {
    const runner = await start(rest[0], { stamp: (payload) => stamped(payload.sent) });
    await untilTheEnd();
    await runner.stop();
}
