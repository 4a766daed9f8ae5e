/** What `kernel.wasm` exports, as JavaScript sees it: pointers come back signed, 64-bit integers as bigint. */
export interface KernelExports {
  readonly memory: WebAssembly.Memory;
  heapBase(): number;
  resultPtr(): number;
  snappyDecodedLength(src: number, length: number): number;
  snappyDecode(src: number, length: number, dst: number, capacity: number): number;
  snappyEncode(src: number, length: number, dst: number): number;
  validateWriteRequest(src: number, length: number): number;
  internLabels(
    rows: number,
    count: number,
    symbols: number,
    symbolsMax: number,
    slots: number,
    slotCount: number,
    key: number,
    refs: number,
  ): number;
  describeMetric(
    name: number,
    type: number,
    help: number,
    helpLength: number,
    unit: number,
    unitLength: number,
  ): number;
  describeTenant(
    name: number,
    room: number,
    account: number,
    accountLength: number,
    project: number,
    projectLength: number,
    type: number,
    help: number,
    helpLength: number,
    unit: number,
    unitLength: number,
  ): number;
  condenseSeries(
    rows: number,
    count: number,
    timestamps: number,
    values: number,
    refs: number,
    dst: number,
    capacity: number,
  ): number;
  symbolsLength(): number;
  condenseSymbols(dst: number): void;
  expandRequest(
    src: number,
    length: number,
    symbols: number,
    symbolsMax: number,
    pairs: number,
    labelsMax: number,
    dst: number,
    capacity: number,
    keepsStarts: number,
  ): number;
  scanWriteRequest(
    src: number,
    length: number,
    rows: number,
    rowsMax: number,
    timestamps: number,
    values: number,
    samplesMax: number,
    metadata: number,
    metadataMax: number,
    scratch: number,
    scratchBytes: number,
    table: number,
    identity: number,
    identityLength: number,
    added: number,
  ): number;
  slotSeries(rows: number, count: number, slots: number): void;
  xxh64(ptr: number, length: number): bigint;
  encodeSeries(
    rows: number,
    timestamps: number,
    values: number,
    slots: number,
    first: number,
    count: number,
    slotMask: number,
    plans: number,
    ownerAt: number,
    ownerBit: number,
    formAt: number,
    spans: number,
    omitted: number,
    suffixPtr: number,
    suffixLength: number,
    suffixLabels: number,
    dst: number,
    capacity: number,
    rowsMax: number,
    labelsMax: number,
    firstSample: number,
    mayCut: number,
  ): void;
  selectSeries(from: number, fromCount: number, slots: number, slotMask: number, list: number): number;
  codeSize(code: number): number;
  countKnown(stencils: number, rows: number, list: number, listed: number): void;
  noteSeries(stencils: number, rows: number, list: number, listed: number): void;
  placeSeries(
    stencils: number,
    rows: number,
    list: number,
    nth: number,
    listed: number,
    end: number,
    timestamps: number,
    omitted: number,
    raw: number,
    position: bigint,
  ): number;
  stencilSeries(
    stencils: number,
    rows: number,
    timestamps: number,
    values: number,
    list: number,
    nth: number,
    listed: number,
    plans: number,
    ownerAt: number,
    ownerBit: number,
    formAt: number,
    omitted: number,
    suffixPtr: number,
    suffixLength: number,
    suffixLabels: number,
    scratch: number,
    scratchBytes: number,
    dst: number,
    capacity: number,
    rawCapacity: number,
    rowsMax: number,
    labelsMax: number,
  ): void;
  gatherPlans(
    rows: number,
    count: number,
    column: number,
    columnLength: number,
    plans: number,
    missing: number,
  ): number;
  planByOutline(
    known: number,
    rows: number,
    missing: number,
    from: number,
    count: number,
    plans: number,
    column: number,
    columnLength: number,
    keeps: number,
    suffixPtr: number,
    suffixLength: number,
  ): number;
  rememberOutline(known: number, item: number): void;
  judgePlans(
    rows: number,
    count: number,
    plans: number,
    ownerAt: number,
    ownerBit: number,
    formAt: number,
    out: number,
    list: number,
  ): number;
  futureSamples(
    rows: number,
    count: number,
    timestamps: number,
    values: number,
    maxMs: bigint,
    drop: number,
  ): number;
  describeLabels(row: number, out: number, before: number, outBefore: number): void;
  internSeries(table: number, rows: number, first: number, count: number, added: number): number;
  removeAdded(table: number, rows: number, count: number, added: number, addedCount: number): void;
  powersPtr(): number;
  beginText(arena: number, bytes: number): void;
  openText(dst: number, length: number, src: number, from: number, context: number): void;
  writeElements(dst: number, dstEnd: number, src: number, srcEnd: number): void;
  scanInflux(settings: number, src: number, end: number, dst: number, dstEnd: number): number;
  scanJsonLines(settings: number, src: number, end: number, dst: number, dstEnd: number): number;
  scanPrometheusText(settings: number, src: number, end: number, dst: number, dstEnd: number): number;
  moveTable(table: number, to: number, toSlots: number): void;
  sweepTable(table: number, minEpoch: number): number;
}
