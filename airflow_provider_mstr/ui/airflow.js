// SPDX-License-Identifier: Apache-2.0
// Reading Airflow's public API, under the rights of whoever looks at the page.

import { momentOf, numberOf, objectOf, objectsOf, textOf } from "./shapes.js";

/** An answer that is no success. */
export class Refused extends Error {
  /** @param {number} status the HTTP status; 0 where there was no answer */
  constructor(status) {
    super(`Airflow's API answered ${status || "nothing"}`);
    this.status = status;
  }

  /** What happened, and what to do. */
  get words() {
    if (this.status === 401) return "You are signed out. Reload this page to sign in again.";
    if (this.status === 403) return "You may not see this. Ask an administrator of Airflow for the right to read task instances.";
    if (this.status === 0) return "Airflow does not answer. It is asked again by itself; if that does not help, see whether its API server runs.";
    if (this.status < 400) return "Airflow's API sent an unexpected answer. Check whether a proxy or a login page answers in its place.";
    return `Airflow's API answered with an error (${this.status}). It is asked again by itself; if that does not help, see the API server's log.`;
  }
}

// How far the server's clock is ahead of the browser's, in milliseconds.
let ahead = 0;

/** The time by Airflow's clock, in milliseconds since the epoch. */
export const now = () => Date.now() + ahead;

/** The JSON of an answer.
 * @param {string} path what stands behind /api/v2/
 * @param {Record<string, unknown>} [query] values, or lists of values */
export async function get(path, query = {}) {
  const url = new URL(`api/v2/${path}`, document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    for (const each of [value].flat()) url.searchParams.append(name, String(each));
  }
  let response;
  try {
    response = await fetch(url, { headers: { Accept: "application/json" } });
  } catch {
    throw new Refused(0);
  }
  const date = momentOf(response.headers.get("Date"));
  // The header has whole seconds only, so less than two are none.
  if (date !== null && Math.abs(date - Date.now()) > 2000) ahead = date - Date.now();
  if (!response.ok) throw new Refused(response.status);
  try {
    return objectOf(await response.json());
  } catch {
    throw new Refused(response.status);
  }
}

/** The same, or null where it is refused or not there. */
export const getIfAllowed = (path, query) =>
  get(path, query).catch((error) => {
    if (error instanceof Refused && [403, 404].includes(error.status)) return null;
    throw error;
  });

/** Do something for each of some things, a few at a time.
 * @template T
 * @param {T[]} things
 * @param {(thing: T) => Promise<unknown>} action */
export async function each(things, action, atOnce = 4) {
  const left = [...things];
  const work = async () => {
    while (left.length) await action(left.shift());
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, left.length) }, work));
}

/** @typedef {{dagId: string, runId: string, taskId: string, mapIndex: number}} Place a task instance's */

const part = encodeURIComponent;

/** @param {Place} place */
const pathOf = ({ dagId, runId, taskId }) =>
  `dags/${part(dagId)}/dagRuns/${part(runId)}/taskInstances/${part(taskId)}`;

/** @param {Place} place */
const mappedPathOf = (place) => pathOf(place) + (place.mapIndex >= 0 ? `/${place.mapIndex}` : "");

/** A page of a list of task instances, and how many the whole list has. @param {Record<string, unknown>} query */
export async function listed(dagId, runId, query) {
  const found = await get(`dags/${part(dagId)}/dagRuns/${part(runId)}/taskInstances`, query);
  const instances = Array.isArray(found.task_instances) ? found.task_instances : [];
  return { instances, total: numberOf(found.total_entries) ?? instances.length };
}

/** A task instance with fields of known types. @param {Record<string, unknown>} ti */
const checked = (ti) => ({
  ...ti,
  state: textOf(ti.state ?? "scheduled"),
  try_number: numberOf(ti.try_number) ?? 0,
  start_date: textOf(ti.start_date),
  end_date: textOf(ti.end_date),
});

/** A task instance as it stands. @param {Place} place */
export const taskInstance = async (place) => ({
  ...checked(await get(mappedPathOf(place))),
  dag_id: place.dagId,
  dag_run_id: place.runId,
  task_id: place.taskId,
  map_index: place.mapIndex,
});

/** All attempts of a task instance, oldest first. @param {Place} place */
export const tries = async (place) =>
  objectsOf((await get(`${mappedPathOf(place)}/tries`)).task_instances)
    .map(checked)
    .sort((a, b) => a.try_number - b.try_number);

/** The keys of what a task has pushed. @param {Place} place */
export async function xcomKeys(place) {
  const found = await getIfAllowed(`${pathOf(place)}/xcomEntries`, { map_index: place.mapIndex, limit: 100 });
  return new Set(objectsOf(found?.xcom_entries).map(({ key }) => textOf(key)));
}

/** What a task has pushed, or null. @param {Place} place */
export async function xcom(place, key) {
  const found = await getIfAllowed(`${pathOf(place)}/xcomEntries/${part(key)}`, {
    map_index: place.mapIndex,
    deserialize: true,
  });
  const value = found?.value ?? null;
  if (typeof value !== "string" || !/^[[{"]/.test(value)) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/** The entries of an attempt's log, or null where it may not be read or is gone. @param {Place} place */
export async function log(place, attempt) {
  const answer = await getIfAllowed(`${pathOf(place)}/logs/${attempt}`, {
    map_index: place.mapIndex,
    full_content: true,
  });
  return answer && Array.isArray(answer.content) ? answer.content : null;
}

/** Where Airflow shows a task instance. @param {Place} place */
export const linkTo = (place, tab = "") =>
  `dags/${part(place.dagId)}/runs/${part(place.runId)}/tasks/${part(place.taskId)}` +
  (place.mapIndex >= 0 ? `/mapped/${place.mapIndex}` : "") +
  (tab && `/${tab}`);

/** Where Airflow shows a DAG. */
export const linkToDag = (dagId) => `dags/${part(dagId)}`;
