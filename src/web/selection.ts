import { store } from './store.js';

/** Which machines are selected: by what they are and not by where, so that it outlives every update. */

/** where a range begins */
let anchor = -1;

function choose(row: number, isPicked: boolean): void {
  const at = store.shown[row];
  if (at === undefined) return;
  const key = store.fleet!.keys[at]!;
  if (isPicked) store.picked.add(key);
  else store.picked.delete(key);
}

const isPicked = (row: number): boolean => {
  const at = store.shown[row];
  return at !== undefined && store.picked.has(store.fleet!.keys[at]!);
};

/** @param isRange all from the row that was chosen last */
export function pickRow(row: number, isRange: boolean): void {
  if (isRange && anchor >= 0) {
    for (let one = Math.min(anchor, row); one <= Math.max(anchor, row); one += 1) choose(one, true);
  } else {
    choose(row, !isPicked(row));
    anchor = row;
  }
  store.setCursor(row);
  store.tell();
}

/** All that are shown, or none of them where all are. */
export function toggleAll(): void {
  const isAll = store.shown.every((_, row) => isPicked(row));
  store.shown.forEach((_, row) => choose(row, !isAll));
  store.tell();
}
