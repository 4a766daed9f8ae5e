/** What the engine was asked and has not answered yet. Main thread only. */
import type { StateMemory } from '../transform/state/bytes.ts';
import type { EngineReport, ToEngine } from './messages.ts';

interface Ticket {
  readonly kind: 'flush' | 'save';
  readonly settle: () => void;
}

export class Questions {
  readonly #post: (message: ToEngine) => void;
  readonly #tickets = new Map<number, Ticket>();
  #nextTicket = 1;
  readonly #reports: ((report: EngineReport | undefined) => void)[] = [];

  constructor(post: (message: ToEngine) => void) {
    this.#post = post;
  }

  /** Resolves when it is done, by this engine or a later one. */
  ask(kind: 'flush' | 'save', memory?: StateMemory): Promise<void> {
    const ticket = this.#nextTicket++;
    return new Promise((settle) => {
      this.#tickets.set(ticket, { kind, settle });
      this.#post({ kind, ticket, memory });
    });
  }

  /** Asks a new engine what the dead one did not get to. */
  repeat(): void {
    for (const [ticket, { kind }] of this.#tickets) this.#post({ kind, ticket });
  }

  answered(tickets: readonly number[]): void {
    for (const ticket of tickets) {
      this.#tickets.get(ticket)?.settle();
      this.#tickets.delete(ticket);
    }
  }

  /** Nobody waits any more. */
  giveUp(): void {
    for (const { settle } of this.#tickets.values()) settle();
    this.#tickets.clear();
  }

  /** Undefined when this engine does not get to answer. */
  report(): Promise<EngineReport | undefined> {
    return new Promise((resolve) => {
      this.#reports.push(resolve);
      this.#post({ kind: 'report' });
    });
  }

  reported(report: EngineReport | undefined): void {
    for (const resolve of this.#reports.splice(0)) resolve(report);
  }
}
