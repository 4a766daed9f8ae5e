/** Talks to the relay that runs on a data directory, through its admin socket. */
import path from 'node:path';
import { AdminAddress } from '../service/admin-address.ts';
import { messageOf, SluiceError } from '../util/error.ts';
import { request } from '../util/http.ts';

/** The answer's JSON. Throws a SluiceError `not_running` when no relay runs there, `refused` with the relay's words. */
export async function callAdmin(socketPath: string, action: string, input: object = {}): Promise<unknown> {
  const address = new AdminAddress(path.dirname(socketPath));
  try {
    return await call(await address.pathOf(path.basename(socketPath)), action, input);
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const isAbsent = code === 'ENOENT' || code === 'ECONNREFUSED';
    const why = isAbsent ? 'no relay runs on this data directory' : messageOf(error);
    throw new SluiceError(isAbsent ? 'not_running' : 'refused', `cannot talk to ${socketPath}: ${why}`);
  } finally {
    await address.close();
  }
}

/** Rejects with Node's error when nobody answers. */
function call(socketPath: string, action: string, input: object): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path: `/${action}`, method: 'POST' }, async (response) => {
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
    asked.on('error', reject);
    asked.end(JSON.stringify(input));
  });
}
