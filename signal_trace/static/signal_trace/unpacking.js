/* What `packing.py` made of a trace, as the trace's plain JSON document. The columns are
   described there. Loops, since there may be tens of thousands of rows. */

const FIRST_PLACE = 63;

/** The document that `Trace.to_dict` gives. What is equal in it may be one object. */
export function unpack(packed) {
  return valuesOf(packed, 1, new Map())[0];
}

function valuesOf(column, size, shared) {
  if (Array.isArray(column)) return column;
  if ("same" in column) return new Array(size).fill(column.same);
  if ("places" in column) return placed(column);
  if ("steps" in column) return addedUp(column.first, valuesOf(column.steps, size - 1, shared));
  if ("of" in column) return numbered(column, size, shared);
  if ("lengths" in column) return listsOf(column, valuesOf(column.lengths, size, shared), shared);
  if ("kinds" in column) return mixed(column, size, shared);
  return objectsOf(column, size, shared);
}

function placed({ table, places }) {
  const values = [];
  for (let i = 0; i < places.length; i++) values.push(table[places.charCodeAt(i) - FIRST_PLACE]);
  return values;
}

function addedUp(first, steps) {
  const values = [first];
  let last = first;
  for (const step of steps) values.push((last += step));
  return values;
}

function numbered(column, size, shared) {
  const more = valuesOf(column.new, column.count, shared);
  if (!shared.has(column.of)) shared.set(column.of, [null]);
  const known = shared.get(column.of);
  for (const one of more) known.push(one);
  let { after } = column;
  const values = [];
  for (const number of valuesOf(column.numbers, size, shared)) {
    values.push(known[number === 1 ? ++after : number && number - 1]);
  }
  return values;
}

function listsOf(column, lengths, shared) {
  let count = 0;
  for (const length of lengths) count += length;
  const items = valuesOf(column.items, count, shared);
  let end = 0;
  return lengths.map((length) => items.slice(end, (end += length)));
}

function mixed(column, size, shared) {
  const ofKind = column.columns.map((one, i) => valuesOf(one, column.counts[i], shared));
  const next = column.columns.map(() => 0);
  return valuesOf(column.kinds, size, shared).map((kind) => ofKind[kind][next[kind]++]);
}

function objectsOf({ keys, columns }, size, shared) {
  const fields = new Map();
  keys.forEach((key, i) => {
    const column = columns[i];
    const values = "below" in column
      ? lessThan(fields.get(column.below), valuesOf(column.less, size, shared))
      : valuesOf(column, size, shared);
    fields.set(key, values);
  });
  const values = [...fields.values()];
  // To set a key of this name would set the prototype.
  if (keys.includes("__proto__")) {
    const entries = (i) => keys.map((key, j) => [key, values[j][i]]);
    return Array.from({ length: size }, (_, i) => Object.fromEntries(entries(i)));
  }
  const rows = [];
  for (let i = 0; i < size; i++) {
    const row = {};
    for (let j = 0; j < keys.length; j++) row[keys[j]] = values[j][i];
    rows.push(row);
  }
  return rows;
}

function lessThan(above, less) {
  return less.map((one, i) => (one === null ? null : above[i] - one));
}
