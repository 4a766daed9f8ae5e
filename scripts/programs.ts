/**
 * Brings the programs of programs.json (Debian's builds; exact versions, checked by SHA-256) into .cache/programs.
 * What is there already is kept. Sources in turn: the mirror, snapshot.debian.org (the mirror forgets a version when
 * sid moves on), the version that sid lists now, programs on PATH. Anything but the pinned version is said loudly.
 * Exits with 1 if a program is missing in the end.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EnvHttpProxyAgent, fetch } from 'undici';
import pinned from '../programs.json' with { type: 'json' };
import { findProgram, type ProgramName, programsDirectory } from '../test/support/programs.ts';

interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly path: string;
  readonly sha256: string;
  /** Absent: that of all. For a program that needs no newer libc than the machines of today have. */
  readonly suite?: string;
  /** Where the programs lie. Absent: `usr/bin`. */
  readonly directory?: string;
  readonly programs: readonly string[];
  /** What they need besides. */
  readonly files?: readonly string[];
}

const membersOf = ({ directory = 'usr/bin', programs, files = [] }: DebianPackage) => [
  ...programs.map((name) => join(directory, name)),
  ...files,
];

const MIRROR = process.env.SLUICE_DEBIAN_MIRROR ?? pinned.mirror;
const DOWNLOAD_TIMEOUT_MS = 180_000;
const proxyAgent = new EnvHttpProxyAgent();

const stampOf = ({ name }: DebianPackage) => join(programsDirectory, `${name}.version`);

const warn = (text: string) => console.error(`\nWARNING: ${text}\n`);

function isThere(one: DebianPackage): boolean {
  const allThere = membersOf(one).every((path) => existsSync(join(programsDirectory, path)));
  if (!allThere || !existsSync(stampOf(one))) return false;
  const version = readFileSync(stampOf(one), 'utf8');
  if (version !== one.version)
    warn(`${one.name} in ${programsDirectory} is ${version}, pinned is ${one.version}`);
  return true;
}

async function download(url: string): Promise<Buffer> {
  const response = await fetch(url, {
    dispatcher: proxyAgent,
    signal: AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return Buffer.from(await response.arrayBuffer());
}

async function downloadVerified(base: string, { path, sha256 }: DebianPackage): Promise<Buffer> {
  const bytes = await download(`${base}/${path}`);
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== sha256) throw new Error(`${base}/${path} has SHA-256 ${found}, expected ${sha256}`);
  return bytes;
}

function has(command: string): boolean {
  return (process.env.PATH ?? '').split(':').some((directory) => existsSync(join(directory, command)));
}

/** A .deb is an `ar` archive that holds data.tar.xz; only the programs and what they need are taken out of it. */
function unpack(deb: Buffer, one: DebianPackage): void {
  const scratch = mkdtempSync(join(tmpdir(), 'sluice-deb-'));
  const file = join(scratch, 'package.deb');
  const tar = join(scratch, 'data.tar');
  const buffer = { maxBuffer: 2 ** 31 };
  try {
    writeFileSync(file, deb);
    if (has('dpkg-deb')) {
      writeFileSync(tar, execFileSync('dpkg-deb', ['--fsys-tarfile', file], buffer));
    } else {
      const member = execFileSync('ar', ['t', file], { encoding: 'utf8' }).match(/^data\.tar.*$/m)?.[0];
      if (member === undefined) throw new Error('no data.tar in the package');
      writeFileSync(tar, execFileSync('ar', ['p', file, member], buffer)); // tar finds out the compression
    }
    const members = membersOf(one).map((path) => `./${path}`);
    execFileSync('tar', ['-xf', tar, '-C', programsDirectory, '--no-same-owner', ...members]);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

const indexes = new Map<string, Promise<string>>();

const suiteOf = ({ suite = pinned.suite }: DebianPackage) => suite;

function indexOf(suite: string): Promise<string> {
  const known = indexes.get(suite);
  if (known !== undefined) return known;
  const path = `dists/${suite}/main/binary-${pinned.architecture}/Packages.xz`;
  const index = download(`${MIRROR}/${path}`).then((xz) =>
    execFileSync('xz', ['-dc'], { input: xz, maxBuffer: 2 ** 30, encoding: 'utf8' }),
  );
  indexes.set(suite, index);
  return index;
}

/** What the suite lists now, for a version that neither mirror nor snapshot gives out. */
async function listedNow(one: DebianPackage): Promise<DebianPackage> {
  const stanza =
    (await indexOf(suiteOf(one))).split('\n\n').find((text) => text.startsWith(`Package: ${one.name}\n`)) ??
    '';
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(stanza)?.[1];
  const [version, path, sha256] = [field('Version'), field('Filename'), field('SHA256')];
  if (!version || !path || !sha256) throw new Error(`${suiteOf(one)} does not list ${one.name}`);
  return { ...one, version, path, sha256 };
}

async function bring(one: DebianPackage): Promise<void> {
  const sources: [name: string, get: () => Promise<[DebianPackage, Buffer]>][] = [
    ['mirror', async () => [one, await downloadVerified(MIRROR, one)]],
    ['snapshot', async () => [one, await downloadVerified(pinned.snapshot, one)]],
    [
      `current ${suiteOf(one)}`,
      async () => {
        const current = await listedNow(one);
        warn(`${one.name} ${one.version} is gone; taking ${current.version}. Pin it in programs.json.`);
        return [current, await downloadVerified(MIRROR, current)];
      },
    ],
  ];
  for (const [name, get] of sources) {
    try {
      const [found, deb] = await get();
      unpack(deb, found);
      writeFileSync(stampOf(one), found.version);
      console.log(`${found.name} ${found.version} from ${name}`);
      return;
    } catch (error) {
      const cause = error instanceof Error && error.cause ? ` (${error.cause})` : '';
      console.error(
        `${one.name} not from ${name}: ${error instanceof Error ? error.message : error}${cause}`,
      );
    }
  }
}

/** Says what is used although it is not what programs.json names; false if it is nowhere. */
function isFoundElsewhere(name: string): boolean {
  const path = findProgram(name as ProgramName);
  if (path === undefined) return false;
  if (path.startsWith(programsDirectory)) return true;
  let version = 'version unknown';
  try {
    version = execFileSync(path, ['--version'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }).split('\n')[0]!;
  } catch {
    // a program that does not tell
  }
  warn(`using ${path} (${version}) and not the pinned version`);
  return true;
}

mkdirSync(programsDirectory, { recursive: true });
for (const one of pinned.packages as DebianPackage[]) if (!isThere(one)) await bring(one);
const missing = pinned.packages.flatMap(({ programs }) => programs).filter((name) => !isFoundElsewhere(name));
if (missing.length > 0) {
  console.error(
    `cannot bring ${missing.join(', ')} into ${programsDirectory}; set SLUICE_DEBIAN_MIRROR to a reachable Debian mirror, or put the programs on PATH`,
  );
  process.exitCode = 1;
}
