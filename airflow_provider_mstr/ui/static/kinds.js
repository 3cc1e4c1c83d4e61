// SPDX-License-Identifier: Apache-2.0
// The kinds of objects, and what a result or a handle contains of its object.

import { toObject, toText } from "./values.js";

export const KIND_LABELS = { data_model: "Data model", cube: "Cube", report: "Incremental refresh report" };

const KINDS = Object.keys(KIND_LABELS);

/** @typedef {{kind: string, id: string, name: string, projectId: string, project: string}} Identity
 * `kind` and `name` are empty if they are not known. */

/** Return the first kind of which an object has a field for the id or the name; "" if there is none.
 * @param {Record<string, unknown>} fields */
export const findKind = (fields) => KINDS.find((kind) => kind in fields || `${kind}_id` in fields) ?? "";

/** Return the object of a result or a handle; null if it contains no id.
 * @param {unknown} value
 * @returns {Identity | null} */
export function parseIdentity(value) {
  const fields = toObject(value);
  const kind = KINDS.includes(fields.kind) ? fields.kind : findKind(fields);
  const id = toText(fields[`${kind}_id`]).toUpperCase();
  if (!id) return null;
  const name = toText(fields.name);
  const projectId = toText(fields.project_id);
  // A result contains the id in place of a name that is not known.
  return { kind, id, name: name.toUpperCase() === id ? "" : name, projectId, project: toText(fields.project) || projectId };
}
