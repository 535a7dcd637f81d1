// The least there is with the client for Node; one run at a time, as the others here.
import { serve, task } from '../../clients/node/dormouse.js';

task('noop', async () => {});
serve({ concurrency: 1 });
