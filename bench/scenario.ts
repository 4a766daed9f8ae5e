/** The contract of a scenario: one file in `scenarios/`, one line in `scenarios/index.ts`. */
import type { Bench } from './bench.ts';
import type { Relay } from './relay.ts';

export interface Column {
  readonly key: string;
  readonly title: string;
  readonly format: (value: number) => string;
  /** What the ratio Sluice ÷ vmagent must be; columns without one are only reported. */
  readonly target?: { readonly atLeast: number } | { readonly atMost: number };
}

export type Figures = Readonly<Record<string, number>>;

export interface Scenario {
  readonly title: string;
  readonly columns: readonly Column[];
  /** One measurement of one relay. Throws if a sample is missing or came twice. */
  measure(bench: Bench, relay: Relay): Promise<Figures>;
}

export const millions = (value: number): string => `${(value / 1e6).toFixed(2)} M`;
export const megabytes = (value: number): string => `${(value / 1e6).toFixed(0)} MB`;
export const decimals = (digits: number) => (value: number) => value.toFixed(digits);
export const milliseconds = (value: number): string => `${value.toFixed(1)} ms`;
