// SPDX-License-Identifier: Apache-2.0
// When Airflow runs the DAGs that refresh an object next.

import { toText, toTimestamp } from "./values.js";

/** @typedef {{isPaused: boolean, nextRun: number | null, hasAssets: boolean}} Dag
 * `nextRun` is in milliseconds since the epoch. */

/** Parse a DAG in the form of Airflow's API. @param {Record<string, unknown>} dag
 * @returns {[string, Dag]} */
export const parseDag = ({ dag_id, is_paused, next_dagrun_run_after, timetable_summary }) => [
  toText(dag_id),
  { isPaused: is_paused === true, nextRun: toTimestamp(next_dagrun_run_after), hasAssets: /\bassets?\b/i.test(toText(timetable_summary)) },
];

/** Find the soonest scheduled run of an object; null if Airflow lists none of its DAGs.
 * @param {import("./status.js").StrategyObject} object
 * @param {Map<string, Dag>} dags
 * @returns {{kind: "time" | "assets" | "paused" | "none", time: number | null} | null} */
export function findNextRun({ runs }, dags) {
  const listed = [...new Set(runs.map(({ tiKey }) => tiKey.dagId))].map((dagId) => dags.get(dagId)).filter(Boolean);
  if (!listed.length) return null;
  const unpaused = listed.filter(({ isPaused }) => !isPaused);
  const times = unpaused.map(({ nextRun }) => nextRun).filter((time) => time !== null);
  if (times.length) return { kind: "time", time: Math.min(...times) };
  return { kind: !unpaused.length ? "paused" : unpaused.some(({ hasAssets }) => hasAssets) ? "assets" : "none", time: null };
}
