/**
 * An engine on the main thread: where there is one core for everything, a second thread wins nothing, and takes its own heap, and
 * messages between the two. The event loop has a turn between any two messages to it, and while blocks wait, the rest of the
 * program gets its share of the time.
 */
import { type Clock, keepAlive, systemClock } from '../util/clock.ts';
import { Engine } from './engine.ts';
import type { EngineHost, HostEvents, StartHost } from './host.ts';
import type { EngineReport, EngineStart, FromEngine, ToEngine } from './messages.ts';

export const localHost: StartHost = (start, events) => new LocalHost(start, events);

/**
 * While blocks wait, the rest of the program has as much time as the engine had: a block takes several turns on its way, and answers from
 * outside. With one turn between messages, requests of 20,000 samples came ten times as fast as blocks went, and filled the memory. Where
 * none wait, a pause would only leave the CPU idle: a fifth of the throughput.
 */
const OWED_MS_MAX = 100;
/** Less is owed for a while: timers are no finer than a millisecond. */
const OWED_MS_MIN = 4;

class LocalHost implements EngineHost {
  readonly #create: () => Engine;
  readonly #events: HostEvents;
  /** Made for the first message, so that what goes wrong then is told as any other failure. */
  #engine: Engine | undefined;
  #isEnded = false;
  readonly #waiting: ToEngine[] = [];
  #answers: (FromEngine | EngineReport)[] = [];
  /** As a thread would, the engine keeps the process alive: whoever waits for its answer may have nothing else that does. */
  readonly #letGo = keepAlive();
  /** What the rest of the program had not got of its time when the engine was done last, and when that was. */
  #owedMs = 0;
  #doneMs = 0;

  constructor(start: EngineStart, events: HostEvents) {
    this.#events = events;
    const clock: Clock = {
      ...systemClock,
      after: (delayMs, callback) => systemClock.after(delayMs, () => this.#run(callback)),
    };
    this.#create = () => new Engine({ ...start, clock, answer: (message) => this.#answers.push(message) });
  }

  post(message: ToEngine): void {
    this.#waiting.push(message);
    if (this.#waiting.length === 1) this.#plan();
  }

  #plan(): void {
    const owedMs = this.#owedMs - (systemClock.monotonicMs() - this.#doneMs);
    if (owedMs < OWED_MS_MIN || !this.#events.isBehind()) setImmediate(this.#next);
    else systemClock.after(owedMs, this.#next);
  }

  readonly #next = (): void => {
    this.#run((engine) => engine.take(this.#waiting[0]!));
    this.#waiting.shift();
    if (this.#waiting.length > 0) this.#plan();
  };

  /** Whatever it throws is the end of the engine. What is told may be answered: then the engine is through with its task. */
  #run(task: (engine: Engine) => void): void {
    if (this.#isEnded) return;
    const startMs = systemClock.monotonicMs();
    let failed: { readonly failure: unknown } | undefined;
    try {
      this.#engine ??= this.#create();
      task(this.#engine);
    } catch (failure) {
      failed = { failure };
      this.#end();
    }
    this.#owe(startMs);
    const answers = this.#answers;
    this.#answers = [];
    for (const answer of answers) apart(() => this.#events.onMessage(answer));
    if (failed !== undefined) apart(() => this.#events.onEnd(failed.failure));
  }

  #owe(startMs: number): void {
    const before = Math.max(0, this.#owedMs - (startMs - this.#doneMs));
    this.#doneMs = systemClock.monotonicMs();
    this.#owedMs = Math.min(OWED_MS_MAX, before + (this.#doneMs - startMs));
  }

  async end(): Promise<void> {
    this.#end();
  }

  #end(): void {
    this.#isEnded = true;
    this.#engine = undefined;
    this.#letGo();
  }
}

/** What the listener throws is not the engine's: it is told by itself, and keeps nobody from the next message, as with a thread. */
function apart(tell: () => void): void {
  try {
    tell();
  } catch (error) {
    setImmediate(() => {
      throw error;
    });
  }
}
