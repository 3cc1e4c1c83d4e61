// SPDX-License-Identifier: Apache-2.0
// The data of the page: the runs and DAGs that Airflow lists, the logs of failed and active runs, and the names of objects.

import { ApiError, LOAD_KEY, RESULT_KEY, forEachConcurrently, get, getLog, getTaskInstance, getXCom, listTaskInstances, now } from "./airflow_api.js";
import { useEffect, useInterval, useMemo, useRef, useState } from "./airflow_ui.js";
import { parseIdentity } from "./kinds.js";
import { countTables, readLog } from "./progress.js";
import { parseDag } from "./schedule.js";
import { REFRESH_OPERATORS, START_OPERATORS, UNREADABLE_LOG, groupByObject, parseRun, selectUnidentified, sortByUrgency, summarizeObject } from "./status.js";
import { toObjects } from "./values.js";

// Airflow's maximum page size.
const PAGE_SIZE = 100;

// The number of pages that are read before the view is updated.
const PAGES_PER_UPDATE = 10;

// The number of task instances that are read at first, and with each "Load older runs".
const TASK_INSTANCES_PER_LOAD = 3000;

// The maximum number of logs that are read of failed runs, and of active ones.
const MAX_LOGS = 50;

// The number of objects whose names are read before the view is updated.
const NAMES_PER_UPDATE = 20;

const POLL_SECONDS = 10;
const DAG_POLL_SECONDS = 60;

/** Load the objects and keep them up to date. */
export function useObjects() {
  const [data, setData] = useState({ runs: new Map(), total: null, readCount: 0, updatedAt: 0 });
  const [error, setError] = useState(null);
  const [limit, setLimit] = useState(TASK_INSTANCES_PER_LOAD);
  const [time, setTime] = useState(now());
  const logs = useLogs();
  const names = useNames();
  const dags = useDags();

  const addRuns = (instances, update) =>
    setData((before) => {
      const runs = new Map(before.runs);
      for (const run of instances.map(parseRun)) {
        if (run) runs.set(run.key, run);
      }
      return { ...before, ...update(before), runs };
    });

  const list = (query) => listTaskInstances("~", "~", { operator: [...REFRESH_OPERATORS, ...START_OPERATORS], limit: PAGE_SIZE, ...query });

  const withErrorState = async (action) => {
    try {
      await action();
      setError(null);
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      setError(failure);
    }
    setTime(now());
  };

  const firstOffset = useRef(0);
  const load = () =>
    withErrorState(async () => {
      const start = firstOffset.current;
      // Ids grow with time, so new task instances rarely move old ones to another page.
      const getPage = (offset) => list({ order_by: "-id", offset });
      const updatedAt = now();
      const first = await getPage(start);
      addRuns(first.instances, (before) => ({
        total: first.total,
        readCount: Math.max(before.readCount, start + first.instances.length),
        updatedAt: before.updatedAt || updatedAt,
      }));
      const end = Math.min(first.total, limit);
      const offsets = [];
      for (let offset = start + PAGE_SIZE; offset < end; offset += PAGE_SIZE) offsets.push(offset);
      while (offsets.length) {
        const instances = [];
        await forEachConcurrently(offsets.splice(0, PAGES_PER_UPDATE), async (offset) => {
          instances.push(...(await getPage(offset)).instances);
        });
        addRuns(instances, (before) => ({ readCount: before.readCount + instances.length }));
      }
      firstOffset.current = Math.max(start, limit);
    });

  useEffect(() => void load(), [limit]);

  useInterval(
    () =>
      data.updatedAt === 0
        ? load()
        : withErrorState(async () => {
            const updatedAt = now();
            const since = new Date(data.updatedAt - 3 * POLL_SECONDS * 1000).toISOString();
            let offset = 0, instances;
            do {
              ({ instances } = await list({ updated_at_gte: since, order_by: "-id", offset }));
              addRuns(instances, () => ({ updatedAt }));
              offset += PAGE_SIZE;
            } while (instances.length === PAGE_SIZE);
          }),
    POLL_SECONDS,
  );

  const summaries = useMemo(() => {
    const getError = (run) => logs.errors.get(logKey(run));
    const getProgress = (run) => logs.progress.get(logKey(run));
    return sortByUrgency(groupByObject(data.runs.values(), names.identities).map((object) => summarizeObject(object, time, { dags, getError, getProgress })));
  }, [data, dags, logs.version, names.version, time]);

  useEffect(() => void logs.load(summaries), [data, time]);

  return {
    summaries,
    loadNames: names.load,
    isLoading: data.total === null && !error,
    error,
    updatedAt: data.updatedAt,
    readCount: data.readCount,
    total: data.total ?? 0,
    loadMore: data.total > limit ? () => setLimit(limit + TASK_INSTANCES_PER_LOAD) : null,
  };
}

const logKey = (run) => `${run.key} ${run.tryNumber}`;

const ignoreApiErrors = (action) => (run) =>
  action(run).catch((error) => {
    if (!(error instanceof ApiError)) throw error;
  });

/** Load the schedules of the DAGs. */
function useDags() {
  const [dags, setDags] = useState(new Map());
  const load = ignoreApiErrors(async () => {
    const found = [];
    const loadPage = async (offset) => {
      const page = await get("dags", { limit: PAGE_SIZE, offset });
      found.push(...toObjects(page.dags).map(parseDag));
      return page.total_entries;
    };
    const total = await loadPage(0);
    const offsets = [];
    for (let offset = PAGE_SIZE; offset < total; offset += PAGE_SIZE) offsets.push(offset);
    await forEachConcurrently(offsets, loadPage);
    setDags(new Map(found));
  });
  useEffect(() => void load(), []);
  useInterval(load, DAG_POLL_SECONDS);
  return dags;
}

/** Load the objects of runs whose task instances do not contain their names, from the XComs of the load or the result. */
function useNames() {
  const cache = useRef({ identities: new Map(), requested: new Set() }).current;
  const [version, setVersion] = useState(0);
  const isLoading = useRef(false);

  const loadIdentity = async (run) => {
    // Before Airflow 3.3, a list of task instances contains no rendered fields.
    const { conn, kind, id, name, project } = run.isRendered ? run : (parseRun(await getTaskInstance(run.tiKey)) ?? run);
    cache.identities.set(run.key, { conn, kind, id, name, project });
    if (id && name) return;
    const identity = parseIdentity(await getXCom(run.tiKey, LOAD_KEY)) ?? parseIdentity(await getXCom(run.tiKey, RESULT_KEY));
    if (identity) cache.identities.set(run.key, { conn, ...identity });
  };

  /** Load the names of some objects, in the order of the rows. */
  const load = async (objects) => {
    const runs = selectUnidentified(objects).filter((run) => !cache.requested.has(nameRequest(run))).slice(0, NAMES_PER_UPDATE);
    if (isLoading.current || !runs.length) return;
    isLoading.current = true;
    for (const run of runs) cache.requested.add(nameRequest(run));
    try {
      await forEachConcurrently(runs, ignoreApiErrors(loadIdentity));
    } finally {
      isLoading.current = false;
    }
    setVersion((before) => before + 1);
  };

  return { ...cache, version, load };
}

// A run that is deferred or has ended has stored more than one that runs. An active one is read again each minute.
const nameRequest = (run) => `${logKey(run)} ${run.state} ${run.end ? "" : Math.floor(now() / 60_000)}`;

/** Load what only the logs contain: the errors of failed runs and the progress of active ones. */
function useLogs() {
  const cache = useRef({ errors: new Map(), progress: new Map(), loads: new Map() }).current;
  const [version, setVersion] = useState(0);
  const isLoading = useRef(false);
  const next = useRef(null);

  const loadError = async (run) => {
    cache.errors.set(logKey(run), "");
    const { error, isReadable } = readLog(await getLog(run.tiKey, run.tryNumber));
    cache.errors.set(logKey(run), isReadable ? error : UNREADABLE_LOG);
  };

  const loadProgress = async (run) => {
    const key = logKey(run);
    const load = cache.loads.get(key) ?? (await getXCom(run.tiKey, LOAD_KEY));
    if (load) cache.loads.set(key, load);
    const progress = readLog(await getLog(run.tiKey, run.tryNumber), load);
    cache.progress.set(key, { ...progress, ...countTables(progress) });
  };

  /** Load the logs in the order of the rows. */
  const load = async (summaries) => {
    next.current = summaries;
    if (isLoading.current) return;
    isLoading.current = true;
    try {
      while (next.current) {
        const rows = next.current;
        next.current = null;
        const failures = rows.map(({ failure }) => failure).filter(Boolean).slice(0, MAX_LOGS);
        const active = rows.flatMap(({ activeRuns }) => activeRuns).slice(0, MAX_LOGS);
        await forEachConcurrently(failures.filter((run) => !cache.errors.has(logKey(run))), ignoreApiErrors(loadError));
        await forEachConcurrently(active, ignoreApiErrors(loadProgress));
        setVersion((before) => before + 1);
      }
    } finally {
      isLoading.current = false;
    }
  };

  return { ...cache, version, load };
}
