// SPDX-License-Identifier: Apache-2.0
// A client for Airflow's public REST API, with the permissions of the user who is signed in.

import { toNumber, toObject, toObjects, toText, toTimestamp } from "./values.js";

/** A request to Airflow's API failed. */
export class ApiError extends Error {
  /** @param {number} status the HTTP status; 0 if there was no response */
  constructor(status) {
    super(`Airflow's API returned ${status ? `HTTP ${status}` : "no response"}`);
    this.status = status;
  }

  /** The cause, and what the user can do. */
  get advice() {
    if (this.status === 401) return "You are signed out. Reload this page to sign in again.";
    if (this.status === 403) return "You do not have permission to view this. Ask an Airflow administrator for permission to read task instances.";
    if (this.status === 0) return "Airflow does not respond. This page retries automatically. If the problem continues, check that the API server is running.";
    if (this.status < 400) return "Airflow's API returned an unexpected response. Check whether a proxy or a login page responds in its place.";
    return `Airflow's API returned an error (HTTP ${this.status}). This page retries automatically. If the problem continues, check the API server's log.`;
  }
}

// How far the server's clock is ahead of the browser's, in milliseconds.
let clockOffset = 0;

/** The time of Airflow's clock, in milliseconds since the epoch. */
export const now = () => Date.now() + clockOffset;

/** Return the JSON of a response.
 * @param {string} path the path after /api/v2/
 * @param {Record<string, unknown>} [query] values, or arrays of values */
export async function get(path, query = {}) {
  const url = new URL(`api/v2/${path}`, document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    for (const each of [value].flat()) url.searchParams.append(name, String(each));
  }
  let response;
  try {
    response = await fetch(url, { headers: { Accept: "application/json" } });
  } catch {
    throw new ApiError(0);
  }
  const date = toTimestamp(response.headers.get("Date"));
  // The header has whole seconds, so a smaller difference is not significant.
  if (date !== null && Math.abs(date - Date.now()) > 2000) clockOffset = date - Date.now();
  if (!response.ok) throw new ApiError(response.status);
  try {
    return toObject(await response.json());
  } catch {
    throw new ApiError(response.status);
  }
}

/** Return the JSON of a response; null if the user may not read it, or it does not exist. */
export const getIfAllowed = (path, query) =>
  get(path, query).catch((error) => {
    if (error instanceof ApiError && [403, 404].includes(error.status)) return null;
    throw error;
  });

/** Run an action for each item, a few at a time.
 * @template T
 * @param {T[]} items
 * @param {(item: T) => Promise<unknown>} action */
export async function forEachConcurrently(items, action, concurrency = 4) {
  const queue = [...items];
  const work = async () => {
    while (queue.length) await action(queue.shift());
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, queue.length) }, work));
}

/** @typedef {{dagId: string, runId: string, taskId: string, mapIndex: number}} TaskInstanceKey */

const encode = encodeURIComponent;

const taskInstancesPath = (dagId, runId) => `dags/${encode(dagId)}/dagRuns/${encode(runId)}/taskInstances`;

/** @param {TaskInstanceKey} tiKey */
const taskPath = ({ dagId, runId, taskId }) => `${taskInstancesPath(dagId, runId)}/${encode(taskId)}`;

/** @param {TaskInstanceKey} tiKey */
const taskInstancePath = (tiKey) => taskPath(tiKey) + (tiKey.mapIndex >= 0 ? `/${tiKey.mapIndex}` : "");

/** Return a page of task instances and the length of the whole list. @param {Record<string, unknown>} query */
export async function listTaskInstances(dagId, runId, query) {
  const page = await get(taskInstancesPath(dagId, runId), query);
  const instances = Array.isArray(page.task_instances) ? page.task_instances : [];
  return { instances, total: toNumber(page.total_entries) ?? instances.length };
}

/** A task instance with fields of known types. @param {Record<string, unknown>} ti */
const parseTaskInstance = (ti) => ({
  ...ti,
  state: toText(ti.state ?? "scheduled"),
  try_number: toNumber(ti.try_number) ?? 0,
  start_date: toText(ti.start_date),
  end_date: toText(ti.end_date),
});

/** Return a task instance. @param {TaskInstanceKey} tiKey */
export const getTaskInstance = async (tiKey) => ({
  ...parseTaskInstance(await get(taskInstancePath(tiKey))),
  dag_id: tiKey.dagId,
  dag_run_id: tiKey.runId,
  task_id: tiKey.taskId,
  map_index: tiKey.mapIndex,
});

/** Return all tries of a task instance, oldest first. @param {TaskInstanceKey} tiKey */
export const getTries = async (tiKey) =>
  toObjects((await get(`${taskInstancePath(tiKey)}/tries`)).task_instances)
    .map(parseTaskInstance)
    .sort((a, b) => a.try_number - b.try_number);

/** The XComs that a refresh pushes: what it loads, its result, and its handle while it is deferred. */
export const [LOAD_KEY, RESULT_KEY, HANDLE_KEY] = ["mstr_load", "mstr_result", "mstr_handle"];

/** Return the keys of a task instance's XComs. @param {TaskInstanceKey} tiKey */
export async function getXComKeys(tiKey) {
  const page = await getIfAllowed(`${taskPath(tiKey)}/xcomEntries`, { map_index: tiKey.mapIndex, limit: 100 });
  return new Set(toObjects(page?.xcom_entries).map(({ key }) => toText(key)));
}

/** Return the value of an XCom, or null. @param {TaskInstanceKey} tiKey */
export async function getXCom(tiKey, key) {
  const entry = await getIfAllowed(`${taskPath(tiKey)}/xcomEntries/${encode(key)}`, {
    map_index: tiKey.mapIndex,
    deserialize: true,
  });
  const value = entry?.value ?? null;
  if (typeof value !== "string" || !/^[[{"]/.test(value)) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/** Return the log entries of one try; null if the user may not read them, or they do not exist. @param {TaskInstanceKey} tiKey */
export async function getLog(tiKey, tryNumber) {
  const log = await getIfAllowed(`${taskPath(tiKey)}/logs/${tryNumber}`, {
    map_index: tiKey.mapIndex,
    full_content: true,
  });
  return log && Array.isArray(log.content) ? log.content : null;
}

/** The path of a task instance in Airflow's UI. @param {TaskInstanceKey} tiKey */
export const taskInstanceLink = (tiKey, tab = "") =>
  `dags/${encode(tiKey.dagId)}/runs/${encode(tiKey.runId)}/tasks/${encode(tiKey.taskId)}` +
  (tiKey.mapIndex >= 0 ? `/mapped/${tiKey.mapIndex}` : "") +
  (tab && `/${tab}`);

/** The path of a DAG in Airflow's UI. */
export const dagLink = (dagId) => `dags/${encode(dagId)}`;
