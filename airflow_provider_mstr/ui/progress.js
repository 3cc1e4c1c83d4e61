// SPDX-License-Identifier: Apache-2.0
// How far a refresh has come, from what its task has put into its log and its XComs.

import { momentOf, numberOf, objectOf, objectsOf, textOf } from "./shapes.js";

/** @typedef {{id: string, name: string, policy: string, state: string, word: string, seconds: number | null,
 *   spans: {word: string, state: string, from: number}[]}} TableProgress
 * `spans` are the states the table went through, each with the seconds at which it began. */

/** @typedef {{tables: TableProgress[], publishedAt: number | null, outcome: Outcome | null, error: string, said: string,
 *   isReadable: boolean}} Progress
 * `publishedAt` is in milliseconds since the epoch, `said` the last line of the task itself. */

/** @typedef {{data_model_id: string, data_model: string, project_id: string, project: string, proven: boolean,
 *   seconds: number | null, tables: TableFacts[]}} Outcome */

/** @typedef {{id: string, name: string, policy: string, state: string, word: string, seconds: number | null}} TableFacts
 * What one line of a log, a handle or an outcome says of a table. */

const OURS = /airflow_provider_mstr/;
const STATES = ["running", "finished", "failed"];

/** @param {unknown[] | null} entries of the log of one attempt
 * @returns {Progress} */
export function read(entries) {
  const progress = { tables: [], publishedAt: null, outcome: null, error: "", said: "", isReadable: entries !== null };
  for (const entry of objectsOf(entries)) {
    if (OURS.test(textOf(entry.logger))) progress.said = textOf(entry.event);
    const [error] = objectsOf(entry.error_detail);
    if (error) progress.error = textOf(error.exc_value) || textOf(error.exc_type);
    const facts = objectOf(entry.mstr);
    const tables = tablesOf(facts.tables);
    const publishedAt = secondsToMoment(facts.published_at) ?? (tables.length ? momentOf(entry.timestamp) : null);
    progress.publishedAt = publishedAt ?? progress.publishedAt;
    note(progress, tables);
    end(progress, facts.outcome);
  }
  return progress;
}

/** Add what a handle or an outcome says to what the log has said.
 * @param {Progress} progress
 * @param {{handle: unknown, outcome: unknown}} said */
export function complete(progress, { handle, outcome }) {
  const { tables, published_at: publishedAt } = objectOf(handle);
  if (!progress.tables.length) note(progress, tablesOf(tables));
  progress.publishedAt ??= secondsToMoment(publishedAt);
  if (!progress.outcome) end(progress, outcome);
  return progress;
}

const secondsToMoment = (seconds) => (numberOf(seconds) ? momentOf(seconds * 1000) : null);

/** @returns {TableFacts[]} */
const tablesOf = (tables) =>
  objectsOf(tables)
    .map(({ id, name, policy, state, word, seconds }) => ({
      id: textOf(id),
      name: textOf(name) || textOf(id),
      policy: textOf(policy),
      state: STATES.includes(state) ? state : "running",
      word: textOf(word),
      seconds: numberOf(seconds),
    }))
    .filter(({ id }) => id);

function note(progress, tables) {
  for (const { id, name, policy, word, state, seconds } of tables) {
    const table = tableOf(progress, { id, name, policy });
    if (!word) continue;
    Object.assign(table, { word, state, seconds });
    table.spans.push({ word, state, from: seconds ?? 0 });
  }
}

function tableOf(progress, { id, name, policy }) {
  const known = progress.tables.find((each) => each.id === id);
  if (known) return known;
  const table = { id, name, policy, state: "running", word: "", seconds: null, spans: [] };
  progress.tables.push(table);
  return table;
}

/** The outcome of a refresh; null for anything else, which has no list of tables.
 * @param {unknown} said
 * @returns {Outcome | null} */
export function outcomeOf(said) {
  const { tables, proven, seconds, ...names } = objectOf(said);
  if (!Array.isArray(tables)) return null;
  return {
    data_model_id: textOf(names.data_model_id),
    data_model: textOf(names.data_model),
    project_id: textOf(names.project_id),
    project: textOf(names.project),
    proven: proven !== false,
    seconds: numberOf(seconds),
    tables: tablesOf(tables),
  };
}

function end(progress, said) {
  const outcome = outcomeOf(said);
  if (!outcome) return;
  progress.outcome = outcome;
  for (const each of outcome.tables) {
    const table = tableOf(progress, each);
    table.state = each.state;
    table.seconds = each.seconds ?? (each.state === "finished" ? outcome.seconds : null);
  }
}

/** The tables by how they stand. @param {Progress} progress */
export function counts({ tables }) {
  const of = (state) => tables.filter((table) => table.state === state).length;
  return { all: tables.length, finished: of("finished"), failed: of("failed"), running: of("running") };
}

/** What a handle says that Airflow shows as rendered text, shortened where it is long.
 * @param {unknown} rendered */
export function handleOf(rendered) {
  if (typeof rendered !== "string") return objectOf(rendered);
  const field = (name) => new RegExp(`["']${name}["']: ["']([^"']+)["']`).exec(rendered)?.[1];
  return { data_model_id: field("data_model_id"), project_id: field("project_id"), data_model: field("data_model") };
}
