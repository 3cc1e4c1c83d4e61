// SPDX-License-Identifier: Apache-2.0
// The progress of a refresh, from its task's log and XComs.

import { parseIdentity } from "./kinds.js";
import { toNumber, toObject, toObjects, toText, toTimestamp } from "./values.js";

/** @typedef {{id: string, name: string, policy: string, state: string, serverState: string, seconds: number | null}} Table
 * A table in a log line, a handle or an outcome. `serverState` is the server's own word. */

/** @typedef {Table & {history: {state: string, serverState: string, from: number}[]}} TableProgress
 * `history` holds the states of the table, each with its start in seconds since the publish. */

/** @typedef {{identity: import("./kinds.js").Identity | null, areTablesConfirmed: boolean, seconds: number | null, tables: Table[]}} Outcome */

/** @typedef {{tables: TableProgress[], publishedAt: number | null, jobStatus: string, outcome: Outcome | null, error: string,
 *   lastMessage: string, isReadable: boolean}} Progress
 * `publishedAt` is in milliseconds since the epoch. `jobStatus` is the server's own word; "" if the load has no job. */

const OWN_LOGGERS = /airflow_provider_mstr/;
const TABLE_STATES = ["running", "finished", "failed"];
const HANDLE_FIELDS = ["kind", "data_model_id", "cube_id", "report_id", "project_id", "project", "name"];

/** Read the progress from the log entries of one try.
 * @param {unknown[] | null} entries null if the log cannot be read
 * @returns {Progress} */
export function readLog(entries) {
  const progress = { tables: [], publishedAt: null, jobStatus: "", outcome: null, error: "", lastMessage: "", isReadable: entries !== null };
  for (const entry of toObjects(entries)) {
    const [error] = toObjects(entry.error_detail);
    if (error) progress.error = toText(error.exc_value) || toText(error.exc_type);
    const fields = toObject(entry.mstr);
    const jobStatus = toText(fields.job_status);
    if (jobStatus) progress.jobStatus = jobStatus;
    else if (OWN_LOGGERS.test(toText(entry.logger))) progress.lastMessage = toText(entry.event);
    const tables = parseTables(fields.tables);
    const publishedAt = secondsToTimestamp(fields.started_at) ?? (tables.length ? toTimestamp(entry.timestamp) : null);
    progress.publishedAt = publishedAt ?? progress.publishedAt;
    updateTables(progress, tables);
    setOutcome(progress, fields.result);
  }
  return progress;
}

/** Add from the XComs what the log does not contain.
 * @param {Progress} progress
 * @param {{handle: unknown, outcome: unknown}} xcoms */
export function addXComs(progress, { handle, outcome }) {
  const { tables, started_at: publishedAt } = toObject(handle);
  if (!progress.tables.length) updateTables(progress, parseTables(tables));
  progress.publishedAt ??= secondsToTimestamp(publishedAt);
  if (!progress.outcome) setOutcome(progress, outcome);
  return progress;
}

const secondsToTimestamp = (seconds) => (toNumber(seconds) ? toTimestamp(seconds * 1000) : null);

/** @returns {Table[]} */
const parseTables = (tables) =>
  toObjects(tables)
    .map(({ id, name, policy, state, word, seconds }) => ({
      id: toText(id),
      name: toText(name) || toText(id),
      policy: toText(policy),
      state: TABLE_STATES.includes(state) ? state : "running",
      serverState: toText(word),
      seconds: toNumber(seconds),
    }))
    .filter(({ id }) => id);

function updateTables(progress, tables) {
  for (const { id, name, policy, serverState, state, seconds } of tables) {
    const table = findOrAddTable(progress, { id, name, policy });
    if (!serverState) continue;
    Object.assign(table, { serverState, state, seconds });
    table.history.push({ serverState, state, from: seconds ?? 0 });
  }
}

function findOrAddTable(progress, { id, name, policy }) {
  const found = progress.tables.find((table) => table.id === id);
  if (found) return found;
  const table = { id, name, policy, state: "running", serverState: "", seconds: null, history: [] };
  progress.tables.push(table);
  return table;
}

/** Return the outcome of a refresh; null for anything without a list of tables.
 * @param {unknown} value
 * @returns {Outcome | null} */
export function parseOutcome(value) {
  const { tables, tables_confirmed, seconds } = toObject(value);
  if (!Array.isArray(tables)) return null;
  return {
    identity: parseIdentity(value),
    areTablesConfirmed: tables_confirmed !== false,
    seconds: toNumber(seconds),
    tables: parseTables(tables),
  };
}

function setOutcome(progress, value) {
  const outcome = parseOutcome(value);
  if (!outcome) return;
  progress.outcome = outcome;
  for (const each of outcome.tables) {
    const table = findOrAddTable(progress, each);
    table.state = each.state;
    table.seconds = each.seconds ?? (each.state === "finished" ? outcome.seconds : null);
  }
}

/** Count the tables by state. @param {Progress} progress */
export function countTables({ tables }) {
  const count = (state) => tables.filter((table) => table.state === state).length;
  return { total: tables.length, finished: count("finished"), failed: count("failed"), running: count("running") };
}

/** Parse a handle, which Airflow renders as text and truncates if it is long.
 * @param {unknown} rendered */
export function parseHandle(rendered) {
  if (typeof rendered !== "string") return toObject(rendered);
  const field = (name) => new RegExp(`["']${name}["']: (["'])(.*?)\\1`).exec(rendered)?.[2];
  return Object.fromEntries(HANDLE_FIELDS.map((name) => [name, field(name)]).filter(([, value]) => value !== undefined));
}
