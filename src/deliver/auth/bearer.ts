import { SluiceError } from '../../util/error.ts';
import { WatchedFile } from '../watched-file.ts';
import { type AuthKind, notBoth } from './auth.ts';

const TOKEN = 'remoteWrite.bearerToken';
const TOKEN_FILE = 'remoteWrite.bearerTokenFile';

/** A fixed token, RFC 6750. */
export const bearer: AuthKind = {
  name: 'bearerToken',
  configured: (values) => values[TOKEN] !== undefined || values[TOKEN_FILE] !== '',
  check: (values) => notBoth(values[TOKEN], values[TOKEN_FILE], TOKEN, TOKEN_FILE),
  open(values, { clock, redactor }) {
    const file = values[TOKEN_FILE] === '' ? undefined : new WatchedFile(values[TOKEN_FILE], clock);
    return {
      async headers() {
        const token = (await file?.read()) ?? values[TOKEN]?.reveal() ?? '';
        if (/[\r\n\0]/.test(token)) {
          throw new SluiceError(
            'bad_token',
            `cannot use the bearer token: it has a line break; keep the token on one line`,
          );
        }
        redactor.set('bearer', token);
        return [['Authorization', `Bearer ${token}`]];
      },
    };
  },
};
