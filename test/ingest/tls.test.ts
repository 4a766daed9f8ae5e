/** HTTPS with certificates made by openssl, as the fixture of a test run. */
import assert from 'node:assert/strict';
import { utimes, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { CertificateWatch, tlsSettings } from '../../src/ingest/tls.ts';
import { type CertificateFiles, makeCertificate } from '../support/certificate.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { recordingLogger } from '../support/quiet-logger.ts';
import { startServer, valuesWith } from './harness.ts';

/** The name on the certificate that the server shows, and the protocol; throws if there is no connection. */
function greet(
  port: number,
  maxVersion?: 'TLSv1.2' | 'TLSv1.1',
): Promise<{ name: string; protocol: string | null }> {
  const versions = maxVersion === undefined ? {} : { maxVersion, minVersion: maxVersion };
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...versions }, () => {
      resolve({ name: String(socket.getPeerCertificate().subject.CN), protocol: socket.getProtocol() });
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

test('a listener with -tls speaks TLS 1.2 and newer, and counts as https', async (t) => {
  const { certFile, keyFile } = await makeCertificate(t);
  const harness = await startServer(t, { tls: [true], tlsCertFile: [certFile], tlsKeyFile: [keyFile] });
  assert.match(harness.server.urls[0]!, /^https:/);
  assert.deepEqual(await greet(harness.port), { name: 'relay', protocol: 'TLSv1.3' });
  assert.equal((await greet(harness.port, 'TLSv1.2')).protocol, 'TLSv1.2');
  await assert.rejects(greet(harness.port, 'TLSv1.1'));
  const labels = { name: 'https', addr: '127.0.0.1:0' };
  assert.equal(harness.meter.value('vm_tcplistener_accepts_total', labels), 3);
});

test('-tlsMinVersion=TLS13 refuses TLS 1.2', async (t) => {
  const { certFile, keyFile } = await makeCertificate(t);
  const { port } = await startServer(t, {
    tls: [true],
    tlsCertFile: [certFile],
    tlsKeyFile: [keyFile],
    tlsMinVersion: ['TLS13'],
  });
  assert.equal((await greet(port)).protocol, 'TLSv1.3');
  await assert.rejects(greet(port, 'TLSv1.2'));
});

test('missing and unusable files are told at the start', async (t) => {
  const { certFile } = await makeCertificate(t);
  const { keyFile: otherKey } = await makeCertificate(t);
  const start = (files: Partial<CertificateFiles>) =>
    startServer(t, {
      tls: [true],
      tlsCertFile: files.certFile === undefined ? [] : [files.certFile],
      tlsKeyFile: files.keyFile === undefined ? [] : [files.keyFile],
    });
  await assert.rejects(start({ certFile }), /set -tlsCertFile and -tlsKeyFile/);
  await assert.rejects(start({ certFile, keyFile: '/nowhere/key.pem' }), /cannot read the TLS files: ENOENT/);
  await assert.rejects(start({ certFile, keyFile: otherKey }), /cannot use the TLS certificate/);
});

test('items belong to the address in the same place, a single one to all', () => {
  const values = valuesWith({
    httpListenAddr: [':1', ':2', ':3'],
    tls: [false, true],
    tlsCertFile: ['', 'b.pem'],
    tlsKeyFile: ['key.pem'],
    tlsMinVersion: ['TLS13'],
  });
  assert.equal(tlsSettings(values, 0), undefined);
  assert.deepEqual(tlsSettings(values, 1), { certFile: 'b.pem', keyFile: 'key.pem', minVersion: 'TLSv1.3' });
  assert.equal(tlsSettings(values, 2), undefined);
});

test('a changed certificate is taken; a broken one leaves the old one in use and is tried again', async (t) => {
  const files = await makeCertificate(t);
  const clock = new FakeClock();
  const log = recordingLogger();
  const taken: unknown[] = [];
  const server = { setSecureContext: (options: object) => void taken.push(options) };
  const watch = new CertificateWatch(server, { ...files, minVersion: 'TLSv1.2' }, { clock, log });
  await watch.check();
  await watch.check();
  assert.equal(taken.length, 0);
  await writeFile(files.certFile, 'new');
  await watch.check();
  assert.equal(String((taken[0] as { cert: Buffer }).cert), 'new');
  server.setSecureContext = () => {
    throw new Error('no match');
  };
  await utimes(files.keyFile, 1, 1);
  await watch.check();
  await watch.check();
  assert.equal(log.lines.filter(({ level }) => level === 'error').length, 2);
  watch.stop();
  assert.equal(clock.timers, 0);
});

test('a running server shows the new certificate', async (t) => {
  const files = await makeCertificate(t, 'old');
  const next = await makeCertificate(t, 'new');
  const { port } = await startServer(t, {
    tls: [true],
    tlsCertFile: [files.certFile],
    tlsKeyFile: [files.keyFile],
  });
  assert.equal((await greet(port)).name, 'old');
  const { copyFile } = await import('node:fs/promises');
  await copyFile(next.certFile, files.certFile);
  await copyFile(next.keyFile, files.keyFile);
  let name = 'old';
  while (name === 'old') name = (await greet(port)).name;
  assert.equal(name, 'new');
});
