// SPDX-License-Identifier: Apache-2.0
// How far a refresh has come, from what its task has put into its log and its XComs.

/** @typedef {{id: string, name: string, policy: string, state: string, word: string, seconds: number | null,
 *   spans: {word: string, state: string, from: number}[]}} TableProgress
 * `spans` are the states the table went through, each with the seconds at which it began. */

/** @typedef {{tables: TableProgress[], publishedAt: number | null, outcome: any, error: string, said: string,
 *   isReadable: boolean}} Progress
 * `publishedAt` is in milliseconds since the epoch, `said` the last line of the task itself. */

const OURS = /airflow_provider_mstr/;

/** @param {any[] | null} entries of the log of one attempt
 * @returns {Progress} */
export function read(entries) {
  const progress = { tables: [], publishedAt: null, outcome: null, error: "", said: "", isReadable: entries !== null };
  for (const entry of entries ?? []) {
    const facts = entry?.mstr;
    if (OURS.test(entry?.logger ?? "")) progress.said = entry.event;
    if (entry?.error_detail?.[0]) progress.error = entry.error_detail[0].exc_value || entry.error_detail[0].exc_type;
    if (!facts) continue;
    if (facts.published_at) progress.publishedAt = facts.published_at * 1000;
    else if (facts.tables) progress.publishedAt = Date.parse(entry.timestamp);
    note(progress, facts.tables ?? []);
    if (facts.outcome) end(progress, facts.outcome);
  }
  return progress;
}

/** Add what a handle or an outcome says to what the log has said.
 * @param {Progress} progress */
export function complete(progress, { handle, outcome }) {
  if (!progress.tables.length) note(progress, handle?.tables ?? []);
  if (!progress.publishedAt && handle?.published_at) progress.publishedAt = handle.published_at * 1000;
  if (!progress.outcome && outcome) end(progress, outcome);
  return progress;
}

function note(progress, tables) {
  for (const said of tables) {
    let table = progress.tables.find(({ id }) => id === said.id);
    if (!table) {
      table = { ...said, state: "running", word: "", seconds: null, spans: [] };
      progress.tables.push(table);
    }
    if (said.word === undefined) continue;
    Object.assign(table, { word: said.word, state: said.state, seconds: said.seconds });
    table.spans.push({ word: said.word, state: said.state, from: said.seconds });
  }
}

function end(progress, outcome) {
  progress.outcome = outcome;
  note(progress, outcome.tables.map(({ id, name, policy }) => ({ id, name, policy })));
  for (const said of outcome.tables) {
    const table = progress.tables.find(({ id }) => id === said.id);
    table.state = said.state;
    table.seconds = said.seconds ?? (said.state === "finished" ? outcome.seconds : null);
  }
}

/** The tables by how they stand. @param {Progress} progress */
export function counts({ tables }) {
  const of = (state) => tables.filter((table) => table.state === state).length;
  return { all: tables.length, finished: of("finished"), failed: of("failed"), running: of("running") };
}

/** What a handle says that Airflow shows as rendered text, shortened where it is long.
 * @param {any} rendered */
export function handleOf(rendered) {
  if (!rendered) return null;
  if (typeof rendered === "object") return rendered;
  const field = (name) => new RegExp(`["']${name}["']: ["']([^"']+)["']`).exec(rendered)?.[1];
  const id = field("data_model_id");
  return id ? { data_model_id: id, project_id: field("project_id"), data_model: field("data_model") } : null;
}
