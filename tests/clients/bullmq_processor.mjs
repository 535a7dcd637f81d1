// The same as a module.
export default async (job) => ({ ...job.data, name: job.name });
