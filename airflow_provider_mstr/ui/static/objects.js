// SPDX-License-Identifier: Apache-2.0
// The data of the page: the runs that Airflow lists, the logs of failed and active ones, and the names of objects.

import { ApiError, HANDLE_KEY, RESULT_KEY, forEachConcurrently, get, getLog, getXCom, listTaskInstances, now } from "./airflow_api.js";
import { useEffect, useInterval, useMemo, useRef, useState } from "./airflow_ui.js";
import { parseIdentity } from "./kinds.js";
import { countTables, readLog } from "./progress.js";
import { REFRESH_OPERATORS, START_OPERATORS, UNREADABLE_LOG, groupByObject, parseRun, selectUnidentified, sortByUrgency, summarizeObject } from "./status.js";
import { toObjects, toText } from "./values.js";

// Airflow's maximum page size.
const PAGE_SIZE = 100;

// The number of pages that are read before the view is updated.
const PAGES_PER_UPDATE = 10;

// The number of task instances that are read at first, and with each "Load older runs".
const TASK_INSTANCES_PER_LOAD = 3000;

// The maximum number of logs that are read of failed runs, and of active ones.
const MAX_LOGS = 50;

// The maximum number of runs whose results are read for the names of their objects.
const MAX_RESULTS = 200;

const POLL_SECONDS = 10;

/** Load the objects and keep them up to date. */
export function useObjects() {
  const [data, setData] = useState({ runs: new Map(), pausedDags: new Set(), total: null, readCount: 0, updatedAt: 0 });
  const [error, setError] = useState(null);
  const [limit, setLimit] = useState(TASK_INSTANCES_PER_LOAD);
  const [time, setTime] = useState(now());
  const logs = useLogs();
  const names = useNames();

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
      const pausedDags = await getPausedDags();
      addRuns(first.instances, (before) => ({
        total: first.total,
        readCount: Math.max(before.readCount, start + first.instances.length),
        pausedDags,
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
    const { pausedDags } = data;
    return sortByUrgency(
      groupByObject(data.runs.values(), names.identities).map((object) => {
        const { failure, latest, isActive } = summarizeObject(object, time, { pausedDags });
        const error = failure && logs.errors.get(logKey(failure));
        const progress = isActive ? logs.progress.get(logKey(latest)) : undefined;
        return { ...summarizeObject(object, time, { pausedDags, error, progress }), error, progress };
      }),
    );
  }, [data, logs.version, names.version, time]);

  useEffect(() => void logs.load(summaries), [data, time]);
  useEffect(() => void names.load(summaries), [summaries]);

  return {
    summaries,
    isLoading: data.total === null && !error,
    error,
    updatedAt: data.updatedAt,
    readCount: data.readCount,
    total: data.total ?? 0,
    loadMore: data.total > limit ? () => setLimit(limit + TASK_INSTANCES_PER_LOAD) : null,
  };
}

const logKey = (run) => `${run.key} ${run.tryNumber}`;

async function getPausedDags() {
  const pausedDags = new Set();
  let dags, offset = 0;
  do {
    dags = toObjects((await get("dags", { paused: true, limit: PAGE_SIZE, offset })).dags);
    for (const { dag_id: dagId } of dags) pausedDags.add(toText(dagId));
    offset += PAGE_SIZE;
  } while (dags.length === PAGE_SIZE);
  return pausedDags;
}

const ignoreApiErrors = (action) => (run) =>
  action(run).catch((error) => {
    if (!(error instanceof ApiError)) throw error;
  });

/** Load the objects of runs whose task instances do not contain their names: from the result, the handle or the log. */
function useNames() {
  const cache = useRef({ identities: new Map(), requested: new Set() }).current;
  const [version, setVersion] = useState(0);
  const isLoading = useRef(false);

  const loadIdentity = async (run) => {
    cache.requested.add(nameRequest(run));
    const identity =
      parseIdentity(await getXCom(run.tiKey, RESULT_KEY)) ??
      parseIdentity(await getXCom(run.tiKey, HANDLE_KEY)) ??
      readLog(await getLog(run.tiKey, run.tryNumber)).outcome?.identity;
    if (identity) cache.identities.set(run.key, identity);
  };

  const load = async (summaries) => {
    const runs = selectUnidentified(summaries.map(({ object }) => object))
      .filter((run) => !cache.requested.has(nameRequest(run)))
      .slice(0, Math.max(0, MAX_RESULTS - cache.requested.size));
    if (isLoading.current || !runs.length) return;
    isLoading.current = true;
    try {
      await forEachConcurrently(runs, ignoreApiErrors(loadIdentity));
    } finally {
      isLoading.current = false;
    }
    setVersion((before) => before + 1);
  };

  return { ...cache, version, load };
}

// A run that is deferred or has ended has stored more than one that runs.
const nameRequest = (run) => `${logKey(run)} ${run.state}`;

/** Load what only the logs contain: the errors of failed runs and the progress of active ones. */
function useLogs() {
  const cache = useRef({ errors: new Map(), progress: new Map(), requested: new Set() }).current;
  const [version, setVersion] = useState(0);
  const isLoading = useRef(false);

  const loadError = async (run) => {
    const key = logKey(run);
    if (cache.requested.has(key)) return;
    cache.requested.add(key);
    const { error, isReadable } = readLog(await getLog(run.tiKey, run.tryNumber));
    cache.errors.set(key, isReadable ? error : UNREADABLE_LOG);
  };

  const loadProgress = async (run) => {
    if (!run.start || run.state === "up_for_retry") return;
    cache.progress.set(logKey(run), countTables(readLog(await getLog(run.tiKey, run.tryNumber))));
  };

  /** Load the logs in the order of the rows. */
  const load = async (summaries) => {
    if (isLoading.current) return;
    isLoading.current = true;
    try {
      const failures = summaries.map(({ failure }) => failure).filter(Boolean).slice(0, MAX_LOGS);
      const active = summaries.filter(({ isActive }) => isActive).map(({ latest }) => latest).slice(0, MAX_LOGS);
      await forEachConcurrently(failures, ignoreApiErrors(loadError));
      await forEachConcurrently(active, ignoreApiErrors(loadProgress));
      setVersion((before) => before + 1);
    } finally {
      isLoading.current = false;
    }
  };

  return { ...cache, version, load };
}
