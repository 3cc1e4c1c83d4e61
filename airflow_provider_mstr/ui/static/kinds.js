// SPDX-License-Identifier: Apache-2.0
// The kinds of objects, and what an XCom contains of its object.

import { toObject, toText } from "./values.js";

// A new kind needs an entry here, and nothing else in the views.
const KINDS = {
  data_model: { label: "Data model", operator: "MstrRefreshDataModelOperator" },
  cube: { label: "Cube", operator: "MstrRefreshCubeOperator" },
  report: { label: "Incremental refresh report", operator: "MstrRunIncrementalRefreshOperator" },
};

const selectFromKinds = (select) => Object.entries(KINDS).map(([kind, value]) => select(kind, value));

export const KIND_LABELS = Object.fromEntries(selectFromKinds((kind, { label }) => [kind, label]));

/** The kind that each operator refreshes, by the operator's name. */
export const OPERATOR_KINDS = new Map(selectFromKinds((kind, { operator }) => [operator, kind]));

/** @typedef {{kind: string, id: string, name: string, projectId: string, project: string}} Identity
 * `kind` and `name` are empty if they are not known. */

/** Return the first kind of which an object has a field for the id or the name; "" if there is none.
 * @param {Record<string, unknown>} fields */
export const findKind = (fields) => Object.keys(KINDS).find((kind) => kind in fields || `${kind}_id` in fields) ?? "";

/** Return the object of an XCom; null if it contains no id.
 * @param {unknown} value
 * @returns {Identity | null} */
export function parseIdentity(value) {
  const fields = toObject(value);
  const kind = Object.hasOwn(KINDS, toText(fields.kind)) ? toText(fields.kind) : findKind(fields);
  const id = toText(fields[`${kind}_id`]).toUpperCase();
  if (!id) return null;
  const name = toText(fields.name);
  const projectId = toText(fields.project_id);
  // A result contains the id in place of a name that is not known.
  return { kind, id, name: name.toUpperCase() === id ? "" : name, projectId, project: toText(fields.project) || projectId };
}
