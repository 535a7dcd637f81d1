// Tasks with hooks and classes of errors, for hooks_test.py; hooked_tasks.py has the same ones.
'use strict';

const fs = require('node:fs');
const { task, serve, onStart, onStop, Fail, Retry } = require(process.env.DORMOUSE_CLIENT);

const how = process.env.HOW.split(' ');
const note = (text) => fs.appendFileSync(process.env.HOOKED, `${text}\n`);
const turn = () => new Promise((resolve) => { setImmediate(resolve); });

class Flaky extends Error {}
class VeryFlaky extends Flaky {}
class ConnectionError extends Error {}

onStart(() => {
  note('opens');
  if (how.includes('fails')) throw new ConnectionError('no such database');
});
onStart(async () => { await turn(); note('loads'); });
onStop(async () => { await turn(); note('unloads'); throw new TypeError('it goes on'); });
onStop(() => { note('closes'); return how.includes('hangs') ? new Promise((resolve) => { setTimeout(resolve, 300_000); }) : undefined; });

const fail = (payload) => {
  throw { flaky: new Flaky('x'), very: new VeryFlaky('x'), other: new TypeError('x'), retry: new Retry({ in: 3 }, 'x'), fail: new Fail('x'),
    not_for_good: new Fail('x', { permanent: false }) }[payload];
};
task('picky', { retryOn: [Flaky] }, fail);
task('lenient', { noRetryOn: [TypeError, VeryFlaky] }, fail);
task('both', { retryOn: [Flaky, TypeError], noRetryOn: [VeryFlaky] }, async (payload) => fail(payload));
task('works', () => { note('works'); });
task('waits', async () => { await new Promise((resolve) => { setTimeout(resolve, 50); }); note('waited'); });

serve();
