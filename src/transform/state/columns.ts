/**
 * State of slots (groups, series) as columns of f64 that grow together: a row a slot, `width` numbers a row. Who folds
 * samples reads `data` once a call and indexes it by slot; only `reserve`, which no fold calls, replaces it.
 *
 * A window column has one column for each colour: with two, one takes samples of the running interval while the other
 * already takes those of the next one. It starts anew after each flush of its colour; other columns stay until their row
 * is cleared.
 */
import { moved } from '../../util/free-buffer.ts';
import { type ByteReader, type ByteWriter, DamagedState } from './bytes.ts';

export type Colour = 0 | 1;

export interface Column {
  data: Float64Array<ArrayBuffer>;
  readonly width: number;
  readonly initial: number;
}

/** By colour. */
export type WindowColumn = readonly Column[];

const FIRST_ROWS = 64;
/** 1 GiB: no column is larger. */
const COLUMN_VALUES_MAX = 2 ** 27;

export class Rows {
  readonly #colours: number;
  readonly #lasting: Column[] = [];
  readonly #windows: WindowColumn[] = [];
  #capacity = FIRST_ROWS;

  constructor(colours: 1 | 2 = 1) {
    this.#colours = colours;
  }

  column(initial = 0, width = 1): Column {
    const column = this.#create(initial, width);
    this.#lasting.push(column);
    return column;
  }

  window(initial = 0, width = 1): WindowColumn {
    const column = Array.from({ length: this.#colours }, () => this.#create(initial, width));
    this.#windows.push(column);
    return column;
  }

  /** The most rows that there is room for, by the widest column. */
  get rowsMax(): number {
    return this.#all().reduce(
      (most, { width }) => Math.min(most, Math.floor(COLUMN_VALUES_MAX / width)),
      Number.POSITIVE_INFINITY,
    );
  }

  /** Makes room for slots below `rows`, which are no more than `rowsMax`. */
  reserve(rows: number): void {
    if (rows <= this.#capacity) return;
    // By halves: these columns are most of the memory of a rule.
    this.#capacity = Math.max(rows, Math.min(this.rowsMax, Math.ceil(this.#capacity * 1.5)));
    for (const column of this.#all()) {
      column.data = moved(column.data, filled(this.#capacity * column.width, column.initial));
    }
  }

  /** The slot becomes as if it had never had a sample. */
  clear(slot: number): void {
    for (const column of this.#lasting) clearRow(column, slot);
    for (const window of this.#windows) for (const column of window) clearRow(column, slot);
  }

  /** The next window of this colour begins. */
  startWindow(colour: Colour): void {
    for (const window of this.#windows) {
      const { data, initial } = window[colour]!;
      data.fill(initial);
    }
  }

  get byteLength(): number {
    return this.#all().reduce((sum, { data }) => sum + data.byteLength, 0);
  }

  /** The rows of slots below `rows`. */
  save(to: ByteWriter, rows: number): void {
    const columns = this.#all();
    to.u32(columns.length);
    for (const { data, width } of columns) {
      to.u32(width);
      to.numbers(data, rows * width);
    }
  }

  load(from: ByteReader, rows: number): void {
    const columns = this.#all();
    from.expect(columns.length, 'the number of columns');
    const numbers = columns.reduce((sum, { width }) => sum + width, 0) * rows;
    if (numbers * 8 > from.left) throw new DamagedState('more rows than bytes');
    this.reserve(rows);
    for (const { data, width } of columns) {
      from.expect(width, 'the width of a column');
      from.numbers(data, rows * width);
    }
  }

  #create(initial: number, width: number): Column {
    return { data: filled(this.#capacity * width, initial), width, initial };
  }

  #all(): Column[] {
    return [...this.#lasting, ...this.#windows.flat()];
  }
}

function filled(length: number, value: number): Float64Array<ArrayBuffer> {
  const data = new Float64Array(length);
  return value === 0 ? data : data.fill(value);
}

function clearRow({ data, width, initial }: Column, slot: number): void {
  data.fill(initial, slot * width, (slot + 1) * width);
}
