// Batch enqueue of dormouse through the same client library as its peers': dormouse.mjs URL fill COUNT SIZE TEXT
import { batches, pool } from "./subject.mjs";

const [url, , ...how] = process.argv.slice(2);
const sql = pool(url, 1);
await batches(how, (payloads) => sql.query("SELECT dormouse.enqueue_many('nothing', $1::jsonb[])", [payloads.map((one) => JSON.stringify(one))]));
await sql.end();
