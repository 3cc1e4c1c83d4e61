// SPDX-License-Identifier: Apache-2.0
// What Airflow's UI lends to the views: React, links that do not reload, its time zone, its folder of files.

const { React, ReactRouterDOM } = globalThis;

export const h = React.createElement;
export const { Fragment, useCallback, useEffect, useMemo, useRef, useState } = React;

/** The styles of both views; React loads them once, and shows nothing before they are there. */
export const Styles = () =>
  h("link", { rel: "stylesheet", href: new URL("style.css", import.meta.url).href, precedence: "default" });

/** A link to a place in Airflow. */
export function Link({ to, ...rest }) {
  return ReactRouterDOM?.Link
    ? h(ReactRouterDOM.Link, { to: `/${to}`, ...rest })
    : h("a", { href: new URL(to, document.baseURI).href, ...rest });
}

/** The time zone that the user has chosen in Airflow, else the browser's. */
function timeZone() {
  try {
    return JSON.parse(localStorage.getItem("timezone")) || undefined;
  } catch {
    return undefined;
  }
}

/** A moment as Airflow shows it.
 * @param {number} moment milliseconds since the epoch */
export function timeOf(moment) {
  const form = { dateStyle: "medium", timeStyle: "short", timeZone: timeZone() };
  try {
    return new Intl.DateTimeFormat(undefined, form).format(moment);
  } catch {
    return new Date(moment).toISOString();
  }
}

/** Do something now and then, as long as somebody looks at the page.
 * @param {() => Promise<unknown>} action
 * @param {number | null} seconds between two times; null to stop */
export function useEvery(action, seconds) {
  const latest = useRef(action);
  latest.current = action;
  useEffect(() => {
    if (seconds === null) return undefined;
    let timer, gone = false;
    const next = async () => {
      if (!document.hidden) await latest.current();
      if (!gone) timer = setTimeout(next, seconds * 1000);
    };
    timer = setTimeout(next, seconds * 1000);
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [seconds]);
}
