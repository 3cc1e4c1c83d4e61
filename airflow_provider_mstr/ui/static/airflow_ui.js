// SPDX-License-Identifier: Apache-2.0
// What the views use of Airflow's UI: React, its router's links, and the user's time zone.

const { React, ReactRouterDOM } = globalThis;

export const h = React.createElement;
export const { Fragment, useCallback, useEffect, useMemo, useRef, useState } = React;

/** The style sheet of both views. React loads it once and renders the view after it. */
export const Styles = () =>
  h("link", { rel: "stylesheet", href: new URL("style.css", import.meta.url).href, precedence: "default" });

/** A link to a page of Airflow, without a reload where the router allows it. */
export function Link({ to, ...rest }) {
  return ReactRouterDOM?.Link
    ? h(ReactRouterDOM.Link, { to: `/${to}`, ...rest })
    : h("a", { href: new URL(to, document.baseURI).href, ...rest });
}

/** The time zone that the user selected in Airflow; undefined for the browser's. */
function getTimeZone() {
  try {
    return JSON.parse(localStorage.getItem("timezone")) || undefined;
  } catch {
    return undefined;
  }
}

/** A timestamp in the user's time zone.
 * @param {number} timestamp milliseconds since the epoch
 * @param {Intl.DateTimeFormatOptions} [style] */
export function formatTime(timestamp, style = { dateStyle: "medium", timeStyle: "short" }) {
  const options = { ...style, timeZone: getTimeZone() };
  try {
    return new Intl.DateTimeFormat(undefined, options).format(timestamp);
  } catch {
    return new Date(timestamp).toISOString();
  }
}

/** Repeat an action while the page is visible.
 * @param {() => Promise<unknown>} action
 * @param {number | null} seconds pause between two calls; null to stop */
export function useInterval(action, seconds) {
  const latest = useRef(action);
  latest.current = action;
  useEffect(() => {
    if (seconds === null) return undefined;
    let timer, isStopped = false;
    const run = async () => {
      if (!document.hidden) await latest.current();
      if (!isStopped) timer = setTimeout(run, seconds * 1000);
    };
    timer = setTimeout(run, seconds * 1000);
    return () => {
      isStopped = true;
      clearTimeout(timer);
    };
  }, [seconds]);
}
