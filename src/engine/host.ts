/** Where an engine runs. Main thread only. */
import { availableCpus } from '../util/cpus.ts';
import type { EngineReport, EngineStart, FromEngine, ToEngine } from './messages.ts';

export interface HostEvents {
  onMessage(message: FromEngine | EngineReport): void;
  /** Once, unless the host was ended; undefined when the engine ended by itself. */
  onEnd(failure: unknown): void;
  /** Whether blocks wait that the rest of the program could have taken further. */
  isBehind(): boolean;
}

/** The engine takes messages in their order, and never before `post` has returned. */
export interface EngineHost {
  post(message: ToEngine): void;
  /** Nothing is told any more. */
  end(): Promise<void>;
}

export type StartHost = (start: EngineStart, events: HostEvents) => EngineHost;

/** `thread`: as in `-engine.thread`. Only what is needed is loaded: the engine is a good part of the program. */
export async function hostFor(thread: string, cpus = availableCpus()): Promise<StartHost> {
  if (thread === 'main' || (thread === 'auto' && cpus <= 1))
    return (await import('./local-host.ts')).localHost;
  return (await import('./thread-host.ts')).threadHost();
}
