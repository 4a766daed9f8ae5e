/** Certificates made by openssl, as the fixture of a test run. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { atEnd } from './cleanup.ts';

export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

export async function makeCertificate(t: TestContext, name = 'relay'): Promise<CertificateFiles> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-tls-'));
  atEnd(t, () => rm(directory, { recursive: true }));
  const certFile = join(directory, 'cert.pem');
  const keyFile = join(directory, 'key.pem');
  const subject = ['-subj', `/CN=${name}`, '-days', '2'];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  execFileSync('openssl', ['req', '-x509', ...key, ...subject, '-keyout', keyFile, '-out', certFile], {
    stdio: 'ignore',
  });
  return { certFile, keyFile };
}
