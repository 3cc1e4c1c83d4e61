// SPDX-License-Identifier: Apache-2.0
// Runs what the views make of Airflow's answers, without a browser: a call on each line of stdin, an answer on each of stdout.

import { createInterface } from "node:readline";
import { complete, counts, read } from "./progress.js";
import { pageOf } from "./shapes.js";
import { attemptOf, byAttention, modelsOf, standingOf, taskOf, titleOf } from "./standing.js";
import { firstSentence } from "./words.js";
import { linkTo, linkToDag } from "./airflow.js";

const NOW = Date.parse("2026-01-02T00:00:00Z");

/** What the page shows of each model. */
function rows(instances, error) {
  const models = modelsOf(instances.map(attemptOf).filter(Boolean));
  return byAttention(models.map((model) => standingOf(model, NOW, { error }))).map((standing) => {
    const { model, rank, why, running, latest, lastSeconds, median } = standing;
    const { id, name, project, conn, attempts } = model;
    const tasks = attempts.map((each) => [each.dag, taskOf(each), linkToDag(each.place.dagId), linkTo(each.place)]);
    return { rank, title: titleOf(model), id, name, project, conn, why, running, tasks, link: linkTo(latest.place), lastSeconds, median };
  });
}

/** What the tab shows of an attempt. */
const progress = (entries, handle, outcome) => {
  const known = complete(read(entries), { handle, outcome });
  return { ...known, counts: counts(known), sentence: firstSentence(known.error) };
};

/** What a task instance becomes. */
const attempt = (ti) => attemptOf(ti);

const CALLS = { rows, progress, attempt, pageOf };

for await (const line of createInterface({ input: process.stdin })) {
  const { call, args } = JSON.parse(line);
  let answer;
  try {
    answer = { value: CALLS[call](...args) };
  } catch (error) {
    answer = { error: String(error.stack) };
  }
  console.log(JSON.stringify(answer));
}
