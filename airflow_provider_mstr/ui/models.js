// SPDX-License-Identifier: Apache-2.0
// What the page knows: the attempts that Airflow lists, and more of those models that need attention.

import { Refused, each, get, listed, log, now } from "./airflow.js";
import { useEffect, useEvery, useMemo, useRef, useState } from "./host.js";
import { counts, read } from "./progress.js";
import { objectsOf, textOf } from "./shapes.js";
import { BEFORE, OPERATORS, UNREADABLE, attemptOf, byAttention, modelsOf, standingOf } from "./standing.js";

// Airflow's own limit of a page of its API.
const PAGE = 100;

// How many pages are read until what they list is shown.
const PAGES_AT_ONCE = 10;

// How many task instances are read at first, and more at each wish for more.
const MOST = 3000;

// How many logs are read at most, of what fails and of what runs.
const MOST_LOGS = 50;

const EVERY_SECONDS = 10;

/** What is known of the models: their standings, what needs attention first. */
export function useModels() {
  const [known, setKnown] = useState({ attempts: new Map(), paused: new Set(), total: null, read: 0, asOf: 0 });
  const [problem, setProblem] = useState(null);
  const [wanted, setWanted] = useState(MOST);
  const [moment, setMoment] = useState(now());
  const details = useDetails();

  const add = (instances, more) =>
    setKnown((before) => {
      const attempts = new Map(before.attempts);
      for (const attempt of instances.map(attemptOf)) {
        if (attempt) attempts.set(attempt.key, attempt);
      }
      return { ...before, ...more(before), attempts };
    });

  const list = (query) => listed("~", "~", { operator: [...OPERATORS, ...BEFORE], limit: PAGE, ...query });

  const guarded = async (action) => {
    try {
      await action();
      setProblem(null);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      setProblem(error);
    }
    setMoment(now());
  };

  const readFrom = useRef(0);
  const readOlder = () =>
    guarded(async () => {
      const from = readFrom.current;
      // Ids grow with time, so what is new does not push what is old from one page to the next for long.
      const page = (offset) => list({ order_by: "-id", offset });
      const asOf = now();
      const first = await page(from);
      const paused = await pausedDags();
      add(first.instances, (before) => ({
        total: first.total,
        read: Math.max(before.read, from + first.instances.length),
        paused,
        asOf: before.asOf || asOf,
      }));
      const last = Math.min(first.total, wanted);
      const offsets = [];
      for (let offset = from + PAGE; offset < last; offset += PAGE) offsets.push(offset);
      while (offsets.length) {
        const found = [];
        await each(offsets.splice(0, PAGES_AT_ONCE), async (offset) => {
          found.push(...(await page(offset)).instances);
        });
        add(found, (before) => ({ read: before.read + found.length }));
      }
      readFrom.current = Math.max(from, wanted);
    });

  useEffect(() => void readOlder(), [wanted]);

  useEvery(
    () =>
      known.asOf === 0
        ? readOlder()
        : guarded(async () => {
            const asOf = now();
            const since = new Date(known.asOf - 3 * EVERY_SECONDS * 1000).toISOString();
            let offset = 0, changed;
            do {
              ({ instances: changed } = await list({ updated_at_gte: since, order_by: "-id", offset }));
              add(changed, () => ({ asOf }));
              offset += PAGE;
            } while (changed.length === PAGE);
          }),
    EVERY_SECONDS,
  );

  const standings = useMemo(() => {
    const models = modelsOf(known.attempts.values());
    return byAttention(
      models.map((model) => {
        const seen = { paused: known.paused };
        const { failure, latest, isUnderWay } = standingOf(model, moment, seen);
        const error = failure && details.errors.get(keyOf(failure));
        const progress = isUnderWay ? details.progress.get(keyOf(latest)) : undefined;
        return { ...standingOf(model, moment, { ...seen, error, progress }), error, progress };
      }),
    );
  }, [known, details.version, moment]);

  useEffect(() => void details.learn(standings), [known, moment]);

  return {
    standings,
    isLoading: known.total === null && !problem,
    problem,
    asOf: known.asOf,
    read: known.read,
    total: known.total ?? 0,
    readMore: known.total > wanted ? () => setWanted(wanted + MOST) : null,
  };
}

const keyOf = (attempt) => `${attempt.key} ${attempt.attempt}`;

async function pausedDags() {
  const paused = new Set();
  let found, offset = 0;
  do {
    found = objectsOf((await get("dags", { paused: true, limit: PAGE, offset })).dags);
    for (const { dag_id: dagId } of found) paused.add(textOf(dagId));
    offset += PAGE;
  } while (found.length === PAGE);
  return paused;
}

/** What is not in Airflow's lists: why an attempt failed, and how far one has come. */
function useDetails() {
  const kept = useRef({ errors: new Map(), progress: new Map(), asked: new Set() }).current;
  const [version, setVersion] = useState(0);
  const isLearning = useRef(false);

  const once = async (key, action) => {
    if (kept.asked.has(key)) return;
    kept.asked.add(key);
    await action();
  };

  const errorOf = (attempt) =>
    once(`error ${keyOf(attempt)}`, async () => {
      const { error, isReadable } = read(await log(attempt.place, attempt.attempt));
      kept.errors.set(keyOf(attempt), isReadable ? error : UNREADABLE);
    });

  const progressOf = async (attempt) => {
    if (!attempt.start || attempt.state === "up_for_retry") return;
    kept.progress.set(keyOf(attempt), counts(read(await log(attempt.place, attempt.attempt))));
  };

  /** Learn what the page shows next, in the order in which it shows it. */
  const learn = async (standings) => {
    if (isLearning.current) return;
    isLearning.current = true;
    const told = () => setVersion((before) => before + 1);
    const harmlessly = (action) => (thing) =>
      action(thing).catch((error) => {
        if (!(error instanceof Refused)) throw error;
      });
    try {
      const failures = standings.map(({ failure }) => failure).filter(Boolean).slice(0, MOST_LOGS);
      const running = standings.filter(({ isUnderWay }) => isUnderWay).map(({ latest }) => latest).slice(0, MOST_LOGS);
      await each(failures, harmlessly(errorOf));
      await each(running, harmlessly(progressOf));
      told();
    } finally {
      isLearning.current = false;
    }
  };

  return { ...kept, version, learn };
}
