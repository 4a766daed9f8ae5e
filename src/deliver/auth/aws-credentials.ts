/**
 * Where AWS keys come from, in this order: options, environment, web identity (EKS), container (ECS, EKS Pod Identity),
 * EC2 instance metadata; with a role to assume, the keys so found ask STS for the role's keys.
 */
import { messageOf, SluiceError } from '../../util/error.ts';
import { requestSmall, type SmallRequest } from '../small-request.ts';
import { WatchedFile } from '../watched-file.ts';
import type { AuthPorts } from './auth.ts';
import { type AwsKeys, signRequest } from './sigv4.ts';

export interface AwsConfig {
  readonly ec2Endpoint: string;
  readonly stsEndpoint: string;
  readonly region: string;
  readonly roleARN: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

/** Keys and, for temporary ones, their end in wall time. */
interface Found {
  readonly keys: AwsKeys;
  readonly endsAtMs: number;
}

export interface AwsIdentity {
  readonly keys: AwsKeys;
  readonly region: string;
}

const EARLY_MS = 10_000;
/** Temporary keys are asked for anew at least so often: their end is no measure while our wall clock is wrong. */
const LIFE_MS_MAX = 3_600_000;
const STS_VERSION = '2011-06-15';
const SESSION_NAME = 'sluice';
const ECS_BASE = 'http://169.254.170.2';
const EC2_BASE = 'http://169.254.169.254';

export class AwsCredentials {
  readonly #config: AwsConfig;
  readonly #ports: AuthPorts;
  readonly #roleARN: string;
  #keys: AwsKeys | undefined;
  /** Monotonic: a wall clock that is set does not keep keys that have ended. */
  #endsAtMs = 0;
  #region: string;
  #fetching: Promise<void> | undefined;

  constructor(config: AwsConfig, ports: AuthPorts) {
    this.#config = config;
    this.#ports = ports;
    this.#roleARN = config.roleARN || (ports.env.AWS_ROLE_ARN ?? '');
    this.#region = config.region || ports.env.AWS_REGION || ports.env.AWS_DEFAULT_REGION || '';
  }

  /** Current keys and the region; rejects when there are none to be had now. */
  async get(): Promise<AwsIdentity> {
    const now = this.#ports.clock.monotonicMs();
    if (this.#keys === undefined || now >= this.#endsAtMs - EARLY_MS) {
      this.#fetching ??= this.#fetch().finally(() => {
        this.#fetching = undefined;
      });
      await this.#fetching;
    }
    return { keys: this.#keys!, region: this.#region };
  }

  async #fetch(): Promise<void> {
    try {
      if (this.#region === '') this.#region = await this.#metadata('placement/region');
      const { keys, endsAtMs } = await this.#find();
      const lifeMs = endsAtMs - this.#ports.clock.nowMs();
      this.#keys = keys;
      this.#endsAtMs =
        this.#ports.clock.monotonicMs() + (Number.isFinite(lifeMs) ? Math.min(lifeMs, LIFE_MS_MAX) : lifeMs);
    } catch (cause) {
      throw new SluiceError(
        'aws',
        `cannot get AWS credentials: ${messageOf(cause)}; check -remoteWrite.aws.*`,
        { cause },
      );
    }
  }

  async #find(): Promise<Found> {
    const { env } = this.#ports;
    const { accessKey, secretKey } = this.#config;
    if (accessKey !== '') return this.#assume(forever({ accessKey, secretKey }));
    if (env.AWS_ACCESS_KEY_ID && env.AWS_SECRET_ACCESS_KEY) {
      return this.#assume(
        forever({
          accessKey: env.AWS_ACCESS_KEY_ID,
          secretKey: env.AWS_SECRET_ACCESS_KEY,
          sessionToken: env.AWS_SESSION_TOKEN,
        }),
      );
    }
    if (env.AWS_WEB_IDENTITY_TOKEN_FILE) return this.#webIdentity(env.AWS_WEB_IDENTITY_TOKEN_FILE);
    if (env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI || env.AWS_CONTAINER_CREDENTIALS_FULL_URI) {
      return this.#assume(await this.#container());
    }
    return this.#assume(await this.#instance());
  }

  async #container(): Promise<Found> {
    const { env, clock } = this.#ports;
    const relative = env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI;
    const url = relative ? ECS_BASE + relative : env.AWS_CONTAINER_CREDENTIALS_FULL_URI!;
    const file = env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE;
    const token = file ? await new WatchedFile(file, clock).read() : env.AWS_CONTAINER_AUTHORIZATION_TOKEN;
    return parseJsonKeys(
      await this.#ask(
        { url, method: 'GET', headers: token ? { authorization: token } : {} },
        'the container endpoint',
      ),
    );
  }

  async #instance(): Promise<Found> {
    const role = await this.#metadata('iam/security-credentials/');
    return parseJsonKeys(await this.#metadata(`iam/security-credentials/${role.split('\n')[0]}`));
  }

  /** Instance metadata, version 2: a short-lived session token first, which forged cross-site requests cannot get. */
  async #metadata(path: string): Promise<string> {
    const base = (this.#config.ec2Endpoint || EC2_BASE).replace(/\/+$/, '');
    const what = 'the EC2 metadata endpoint';
    const token = await this.#ask(
      {
        url: `${base}/latest/api/token`,
        method: 'PUT',
        headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '60' },
      },
      what,
    );
    const headers = { 'x-aws-ec2-metadata-token': token };
    return this.#ask({ url: `${base}/latest/meta-data/${path}`, method: 'GET', headers }, what);
  }

  async #webIdentity(tokenFile: string): Promise<Found> {
    const token = await new WatchedFile(tokenFile, this.#ports.clock).read();
    const call = this.#stsUrl('AssumeRoleWithWebIdentity');
    call.searchParams.set('WebIdentityToken', token);
    return parseStsKeys(await this.#ask({ url: call.href, method: 'GET' }, 'STS'));
  }

  /** The keys of the configured role; the given ones when there is no role. */
  async #assume(base: Found): Promise<Found> {
    if (this.#roleARN === '') return base;
    const url = this.#stsUrl('AssumeRole');
    const request = { method: 'GET', url, host: url.host, body: new Uint8Array() };
    const scope = { keys: base.keys, region: this.#region, service: 'sts' };
    const headers = Object.fromEntries(signRequest(request, scope, this.#ports.clock.nowMs()));
    return parseStsKeys(await this.#ask({ url: url.href, method: 'GET', headers }, 'STS'));
  }

  #stsUrl(action: string): URL {
    const url = new URL(this.#config.stsEndpoint || `https://sts.${this.#region}.amazonaws.com/`);
    url.searchParams.set('Action', action);
    url.searchParams.set('RoleArn', this.#roleARN);
    url.searchParams.set('RoleSessionName', SESSION_NAME);
    url.searchParams.set('Version', STS_VERSION);
    return url;
  }

  /** The answer's text; errors name the service, never the URL (it can hold a token) or the answer. */
  async #ask(call: SmallRequest, service: string): Promise<string> {
    const { status, text } = await requestSmall(call, this.#ports.clock);
    if (status !== 200) throw new Error(`${service} answered ${status}`);
    return text;
  }
}

function forever(keys: AwsKeys): Found {
  return { keys, endsAtMs: Number.POSITIVE_INFINITY };
}

function parseJsonKeys(text: string): Found {
  let fields: Record<string, unknown>;
  try {
    fields = Object(JSON.parse(text));
  } catch {
    throw new Error('the answer is no JSON');
  }
  return toLease(fields.AccessKeyId, fields.SecretAccessKey, fields.Token, fields.Expiration);
}

/** STS answers in XML; the four values hold no markup, so their elements can be looked up directly. */
function parseStsKeys(xml: string): Found {
  const element = (name: string) => new RegExp(`<${name}>([^<]+)</${name}>`).exec(xml)?.[1]?.trim();
  return toLease(
    element('AccessKeyId'),
    element('SecretAccessKey'),
    element('SessionToken'),
    element('Expiration'),
  );
}

function toLease(accessKey: unknown, secretKey: unknown, sessionToken: unknown, expiration: unknown): Found {
  if (typeof accessKey !== 'string' || typeof secretKey !== 'string')
    throw new Error('the answer holds no keys');
  const endsAtMs = Date.parse(String(expiration));
  return {
    keys: { accessKey, secretKey, sessionToken: typeof sessionToken === 'string' ? sessionToken : undefined },
    endsAtMs: Number.isNaN(endsAtMs) ? Number.POSITIVE_INFINITY : endsAtMs,
  };
}
