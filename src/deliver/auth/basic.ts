import { WatchedFile } from '../watched-file.ts';
import { type AuthKind, notBoth } from './auth.ts';

const USERNAME = 'remoteWrite.basicAuth.username';
const USERNAME_FILE = 'remoteWrite.basicAuth.usernameFile';
const PASSWORD = 'remoteWrite.basicAuth.password';
const PASSWORD_FILE = 'remoteWrite.basicAuth.passwordFile';

/** HTTP basic authentication, RFC 7617. */
export const basic: AuthKind = {
  name: 'basicAuth',
  configured: (values) =>
    values[USERNAME] !== '' ||
    values[USERNAME_FILE] !== '' ||
    values[PASSWORD] !== undefined ||
    values[PASSWORD_FILE] !== '',
  check(values) {
    const problems = [
      ...notBoth(values[USERNAME], values[USERNAME_FILE], USERNAME, USERNAME_FILE),
      ...notBoth(values[PASSWORD], values[PASSWORD_FILE], PASSWORD, PASSWORD_FILE),
    ];
    if (basic.configured(values) && values[USERNAME] === '' && values[USERNAME_FILE] === '') {
      problems.push({ message: `a password without a user name is set`, hint: `set -${USERNAME} too` });
    }
    return problems;
  },
  open(values, { clock, redactor }) {
    const usernameFile =
      values[USERNAME_FILE] === '' ? undefined : new WatchedFile(values[USERNAME_FILE], clock);
    const passwordFile =
      values[PASSWORD_FILE] === '' ? undefined : new WatchedFile(values[PASSWORD_FILE], clock);
    return {
      async headers() {
        const username = (await usernameFile?.read()) ?? values[USERNAME];
        const password = (await passwordFile?.read()) ?? values[PASSWORD]?.reveal() ?? '';
        const credentials = Buffer.from(`${username}:${password}`).toString('base64');
        redactor.set('basic password', password);
        redactor.set('basic', credentials);
        return [['Authorization', `Basic ${credentials}`]];
      },
    };
  },
};
