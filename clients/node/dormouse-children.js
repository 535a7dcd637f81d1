// The processes that a run has started: they end with a run that is stopped. The worker looks after its answer as well, for those that have
// lost their parents.
'use strict';

const { AsyncLocalStorage } = require('node:async_hooks');
const fs = require('node:fs');

const current = new AsyncLocalStorage();
const patience = 2000; // ms between asking and killing

/// From now on each run knows what is started in its context. Node 18 tells nobody on the channel child_process.
function watch() {
  const { prototype } = require('node:child_process').ChildProcess;
  const start = prototype.spawn;
  prototype.spawn = function spawn(...options) {
    current.getStore()?.children.push(this);
    return start.apply(this, options);
  };
}

function childrenOf(pid) {
  try {
    return fs.readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      fs.readFileSync(`/proc/${pid}/task/${thread}/children`, 'ascii').split(' ').filter(Boolean).map(Number));
  } catch {
    return []; // it is gone, or the kernel has no CONFIG_PROC_CHILDREN
  }
}

function withDescendants(pids) {
  const all = new Set();
  for (let next = pids; next.length > 0; next = next.flatMap(childrenOf).filter((pid) => !all.has(pid))) next.forEach((pid) => all.add(pid));
  return [...all];
}

function send(pids, signal) {
  for (const pid of pids) try { process.kill(pid, signal); } catch { /* it is gone */ }
}

function lives(pid) {
  try { return !/\) [ZX] /.test(fs.readFileSync(`/proc/${pid}/stat`, 'latin1')); } catch { return false; }
}

const own = (run) => run.children.filter((child) => child.pid !== undefined && child.exitCode === null && child.signalCode === null).map(({ pid }) => pid);

/// Before `run` hears that it is to end: whoever ends a child then leaves that one's children behind.
function look(run) {
  if (run.children.length > 0) run.below.push(...withDescendants(own(run)));
}

/// Ends what `run` has started and what those have, also what they start meanwhile; calls `done` when they are gone.
function end(run, done) {
  let all = [...own(run), ...run.below];
  const asked = new Set();
  const began = Date.now();
  const turn = () => {
    all = withDescendants(all.filter(lives)).filter(lives);
    const waited = Date.now() - began;
    if (all.length === 0 || waited > 2 * patience) {
      clearInterval(timer);
      return done();
    }
    send(all.filter((pid) => !asked.has(pid)), 'SIGTERM');
    all.forEach((pid) => asked.add(pid));
    if (waited > patience) send(all, 'SIGKILL');
    return undefined;
  };
  const timer = setInterval(turn, 10);
  turn();
}

/// The same answer of a stopped run, with what the other runs have started: the worker is not to wonder whose that is.
function sparing(answer, others) {
  const pids = [...others].flatMap(own);
  return pids.length === 0 ? answer : `${answer.slice(0, -2)},"keep":${JSON.stringify(pids)}}\n`;
}

module.exports = { current, end, look, sparing, watch };
