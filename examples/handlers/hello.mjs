import { serve, task } from '/usr/share/dormouse/clients/node/dormouse.js';

task('hello', async (payload) => ({ hello: payload.name }));
serve();
