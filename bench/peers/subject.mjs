// What the subjects that run in Node share: counting, stamping, enqueueing in batches.
import pg from "pg";

export const pool = (connectionString, max) => new pg.Pool({ connectionString, max });

export class Progress {
    #began = performance.now();
    #done = 0;
    #first = 0;
    #all;
    #ended = new Promise((resolve) => (this.#all = resolve));

    constructor(count, limit) {
        this.count = count;
        this.timer = setInterval(() => {
            console.log(JSON.stringify({ at_s: this.#elapsed(), done: this.#done }));
            if (this.#elapsed() > limit) this.#all();
        }, 100);
    }
    called(runs = 1) {
        if (this.#done === 0) this.#first = this.#elapsed();
        this.#done += runs;
        if (this.#done >= this.count) this.#all();
    }
    // Until all are written, which written() tells, or the time is over.
    async end(written) {
        await this.#ended;
        while (this.#done >= this.count && !(await written())) await new Promise((resolve) => setTimeout(resolve, 2));
        clearInterval(this.timer);
        console.log(JSON.stringify({ runs: this.#done, seconds: this.#elapsed(), first_s: this.#first }));
    }
    #elapsed() {
        return Math.round(performance.now() - this.#began) / 1000;
    }
}

export function stamped(sent) {
    process.stdout.write(`${sent} ${process.hrtime.bigint()}\n`); // CLOCK_MONOTONIC, as everybody's here
}

export async function untilTheEnd() {
    for await (const _ of process.stdin) continue;
}

// batches([COUNT, SIZE, TEXT], enqueue): enqueue() gets arrays of SIZE payloads.
export async function batches([count, size, text], enqueue) {
    const began = performance.now();
    for (let left = Number(count); left > 0; left -= Number(size))
        await enqueue(Array.from({ length: Math.min(left, Number(size)) }, () => JSON.parse(text)));
    const seconds = (performance.now() - began) / 1000;
    console.log(JSON.stringify({ runs: Number(count), seconds }));
}
