// The connections that the tests of Node's producers use. given: what enqueue() is given of a connection or transaction; block: a
// transaction, or within one a savepoint; alone: a call whose transaction is committed by itself, or at once behind it.
'use strict';

const { transaction } = require(process.env.DORMOUSE_CLIENT);

let modules;
try {
  modules = { pg: require('pg'), postgres: require('postgres'), knex: require('knex'), kysely: require('kysely'), drizzle: require('drizzle-orm/node-postgres'),
    sql: require('drizzle-orm').sql };
} catch (error) {
  console.log(`SKIPPED: ${error.message.split('\n')[0]} (./dev setup installs it into build/node)`);
  process.exit(77);
}
const { pg, postgres, knex, kysely, drizzle, sql } = modules;

// What is a connection by itself: what one call sends is committed with it, and rings.
const given = (conn) => conn;
const alone = (conn, work) => work(conn);
const block = (conn, work) => transaction(conn, work);
const inBlock = (conn, work) => transaction(conn, work);

async function client() {
  const one = new pg.Client();
  await one.connect();
  return one;
}

/// BEGIN and COMMIT as people write them.
let depth = 0;
async function byHand(conn, work) {
  const name = `s${depth}`;
  const outermost = depth === 0;
  depth += 1;
  await conn.query(outermost ? 'BEGIN' : `SAVEPOINT ${name}`);
  try {
    const result = await work(conn);
    await conn.query(outermost ? 'COMMIT' : `RELEASE ${name}`);
    return result;
  } catch (error) {
    await conn.query(outermost ? 'ROLLBACK' : `ROLLBACK TO ${name}`);
    throw error;
  } finally {
    depth -= 1;
  }
}

/// As docs/producers.md has them.
const ofKysely = (db) => (text, values) => db.executeQuery(kysely.CompiledQuery.raw(text, values));
const ofDrizzle = (db) => (text, values) =>
  db.execute(sql.join(text.split(/\$\d+/).flatMap((part, at) => (at === 0 ? [sql.raw(part)] : [sql`${values[at - 1]}`, sql.raw(part)]))));

exports.pg = pg;
exports.client = client;
exports.all = [
  { name: 'pg, BEGIN by hand', open: client, close: (conn) => conn.end(), given, alone, block: byHand, nests: true, spare: true },
  { name: 'pg, transaction()', open: client, close: (conn) => conn.end(), given, alone, block, nests: true, spare: true },
  { name: 'pg, a pool', open: () => new pg.Pool(), close: (pool) => pool.end(), given, alone, block, nests: true, spare: true },
  { name: 'postgres.js', open: () => postgres({ host: process.env.PGHOST, user: 'postgres', database: 'postgres', max: 2 }), close: (conn) => conn.end(),
    given, alone, block, nests: true },
  { name: 'knex', open: () => knex({ client: 'pg', connection: { host: process.env.PGHOST, user: 'postgres', database: 'postgres' } }),
    close: (conn) => conn.destroy(), given, alone, block, nests: true },
  { name: 'kysely', open: () => new kysely.Kysely({ dialect: new kysely.PostgresDialect({ pool: new pg.Pool() }) }), close: (conn) => conn.destroy(),
    given: ofKysely, alone: inBlock, block },
  { name: 'drizzle', open: () => drizzle.drizzle(new pg.Pool()), close: (conn) => conn.$client.end(), given: ofDrizzle, alone: inBlock, block, nests: true },
];
