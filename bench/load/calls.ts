/**
 * Calls to a child process: the generator and the sink run beside the bench so that their work is never counted to
 * the relay. `serve` is the child's side, `startChild` the parent's; both sides share the type of the methods.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

// biome-ignore lint/suspicious/noExplicitAny: methods of any signature
export type Methods = Record<string, (params: any) => unknown>;

type Request = { id: number; method: string; params: unknown };
type Response = { id: number; result?: unknown; error?: string };

export function serve(methods: Methods): void {
  process.on('message', async ({ id, method, params }: Request) => {
    try {
      process.send!({ id, result: await methods[method]!(params) } satisfies Response);
    } catch (error) {
      process.send!({ id, error: error instanceof Error ? error.stack! : String(error) } satisfies Response);
    }
  });
  process.on('disconnect', () => process.exit()); // the bench is gone
}

export class Child<M extends Methods> {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #lastId = 0;

  constructor(child: ChildProcess, name: string) {
    this.#process = child;
    child.on('message', ({ id, result, error }: Response) => {
      const call = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) call?.resolve(result);
      else call?.reject(new Error(`${name}: ${error}`));
    });
    child.on('exit', (code, signal) => {
      for (const call of this.#waiting.values()) call.reject(new Error(`${name} died (${signal ?? code})`));
    });
  }

  call<K extends keyof M & string>(
    method: K,
    params: Parameters<M[K]>[0],
  ): Promise<Awaited<ReturnType<M[K]>>> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#process.send({ id, method, params } satisfies Request);
    });
  }

  async close(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    this.#process.disconnect();
    await once(this.#process, 'exit');
  }
}

/** Starts a module of this folder with the given command in front (taskset). */
export function startChild<M extends Methods>(file: string, prefix: readonly string[]): Child<M> {
  const command = [...prefix, process.execPath, fileURLToPath(new URL(file, import.meta.url))];
  const child = spawn(command[0]!, command.slice(1), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
  return new Child<M>(child, file);
}
