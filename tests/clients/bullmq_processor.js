// A processor in a file of its own; bullmq_jobs.js names it without its ending.
'use strict';

module.exports = async (job) => ({ ...job.data, name: job.name });
