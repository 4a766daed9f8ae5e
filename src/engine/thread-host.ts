/** An engine on a thread of its own. */
import { Worker } from 'node:worker_threads';
import type { StartHost } from './host.ts';

/** `entry`: tests put a faulty one there. */
export function threadHost(entry = new URL('./worker.ts', import.meta.url)): StartHost {
  return (start, { onMessage, onEnd }) => {
    const worker = new Worker(entry, { workerData: start, name: 'engine' });
    let failure: unknown;
    let isEnded = false;
    worker.on('message', onMessage);
    worker.on('error', (error) => {
      failure = error;
    });
    worker.on('exit', () => {
      if (!isEnded) onEnd(failure);
    });
    return {
      post: (message) => worker.postMessage(message),
      async end() {
        isEnded = true;
        await worker.terminate();
      },
    };
  };
}
