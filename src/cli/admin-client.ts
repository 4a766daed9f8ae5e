/** Talks to the relay that runs on a data directory, through its admin socket. */
import { request } from 'node:http';
import { messageOf, SluiceError } from '../util/error.ts';

/** The answer's JSON. Throws a SluiceError `not_running` when no relay runs there, `refused` with the relay's words. */
export function callAdmin(socketPath: string, action: string, input: object = {}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path: `/${action}`, method: 'POST' }, async (response) => {
      try {
        const chunks = await response.toArray();
        const body = JSON.parse(Buffer.concat(chunks).toString());
        if (response.statusCode === 200) resolve(body);
        else reject(new SluiceError('refused', body.error));
      } catch (error) {
        reject(
          new SluiceError('refused', `the relay gave an answer that cannot be read: ${messageOf(error)}`),
        );
      }
    });
    call.on('error', (error: NodeJS.ErrnoException) => {
      const isAbsent = error.code === 'ENOENT' || error.code === 'ECONNREFUSED';
      const why = isAbsent ? 'no relay runs on this data directory' : messageOf(error);
      reject(new SluiceError(isAbsent ? 'not_running' : 'refused', `cannot talk to ${socketPath}: ${why}`));
    });
    call.end(JSON.stringify(input));
  });
}
