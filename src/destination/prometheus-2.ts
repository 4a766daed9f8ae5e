/**
 * A destination of remote write 2.0. One that turns out not to know it gets 1.0 from then on, until the next start.
 * https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/
 */
import { REMOTE_WRITE_2 } from '../model/body.ts';
import { SluiceError } from '../util/error.ts';
import type {
  DestinationConfig,
  DestinationPorts,
  Header,
  HttpExchange,
  HttpResponse,
  Response,
  Transport,
  WireBlock,
} from './destination.ts';
import { Families } from './families.ts';
import { type Request2, toRequest2 } from './request-2.ts';

/** How many elements the peer says that it has taken. */
export interface Written {
  readonly samples: number;
  readonly histograms: number;
  readonly exemplars: number;
}

const UNSUPPORTED = 415;
const BAD_REQUEST = 400;
const headerOf = (kind: string) => `x-prometheus-remote-write-${kind}-written`;

/** Undefined when the peer says nothing; what it does not name it has not taken. */
export function writtenOf({ headers }: HttpResponse): Written | undefined {
  const texts = ['samples', 'histograms', 'exemplars'].map((kind) => headers[headerOf(kind)]);
  if (texts.every((text) => text === undefined)) return undefined;
  const [samples = 0, histograms = 0, exemplars = 0] = texts.map((text) => {
    const shown = Array.isArray(text) ? text[0] : text;
    return shown !== undefined && /^\d{1,15}$/.test(shown) ? Number(shown) : 0;
  });
  return { samples, histograms, exemplars };
}

export class Version2 implements Transport {
  readonly #config: DestinationConfig;
  readonly #ports: DestinationPorts;
  readonly #http: HttpExchange;
  readonly #headers: readonly Header[];
  /** How 1.0 is sent. */
  readonly #first: Transport;
  readonly #families = new Families();
  /** What is tried again is not written anew. */
  readonly #requests = new WeakMap<Uint8Array, Request2>();
  #isFirst = false;
  /** It has said what it wrote: it knows 2.0. */
  #isKnown = false;

  constructor(
    config: DestinationConfig,
    ports: DestinationPorts,
    http: HttpExchange,
    userAgent: Header,
    first: Transport,
  ) {
    this.#config = config;
    this.#ports = ports;
    this.#http = http;
    this.#first = first;
    this.#headers = [
      userAgent,
      ['Content-Type', `application/x-protobuf;proto=${REMOTE_WRITE_2}`],
      ['Content-Encoding', 'snappy'],
      ['X-Prometheus-Remote-Write-Version', '2.0.0'],
    ];
    const { meter } = ports;
    const labels = { url: config.shownUrl };
    const version = 'Whether the destination gets remote write 2.0; 0 after it turned it down.';
    meter.gaugeOf('sluice_remote_write_2', version, labels, () => (this.#isFirst ? 0 : 1));
    meter.counterOf(
      'sluice_metadata_left_out_total',
      'Metadata entries that a destination of remote write 2.0 does not get: there are too many families.',
      labels,
      () => this.#families.leftOut,
    );
  }

  async send(block: WireBlock, signal: AbortSignal): Promise<Response> {
    if (this.#isFirst) return this.#first.send(block, signal);
    let request: Request2;
    try {
      request = await this.#requestOf(block);
    } catch (error) {
      if (!(error instanceof SluiceError) || error.code !== 'undecodable') throw error;
      // Trying again cannot help: 400 lets the sender account for the block.
      return { status: 400, text: error.message };
    }
    // The metadata goes with the series that come.
    if (request.isEmpty) return { status: 204, text: '' };
    const body = request.bytes;
    const response = await this.#http.post(this.#headers, body, signal);
    const written = writtenOf(response);
    if (written !== undefined) this.#isKnown = true;
    const isSuccess = response.status >= 200 && response.status < 300;
    // A receiver of 1.0 that does not look at the Content-Type finds nothing in the message, and is content.
    if (response.status === UNSUPPORTED || (isSuccess && written === undefined)) {
      this.#fallBack(response.status);
      return this.#first.send(block, signal);
    }
    const { status, retryAfter, text } = response;
    if (status === BAD_REQUEST && !this.#isKnown) {
      // So may a receiver of 1.0 say it that looks at the Content-Type; then it takes the block as 1.0.
      const again = await this.#first.send(block, signal);
      if (again.status >= 200 && again.status < 300) {
        this.#fallBack(status);
        return again;
      }
    }
    return { status, retryAfter, text, written: written ?? NOTHING, sentBytes: body.byteLength };
  }

  isDoneWith(bytes: Uint8Array): boolean {
    return this.#first.isDoneWith?.(bytes) ?? false;
  }

  close(): Promise<void> {
    return this.#first.close();
  }

  async #requestOf(block: WireBlock): Promise<Request2> {
    const known = this.#requests.get(block.bytes);
    if (known !== undefined) return known;
    const request = await toRequest2(block, this.#families);
    this.#requests.set(block.bytes, request);
    return request;
  }

  #fallBack(status: number): void {
    if (this.#isFirst) return;
    this.#isFirst = true;
    this.#ports.log.warn('the destination does not take remote write 2.0; it gets 1.0 until the next start', {
      destination: this.#config.shownUrl,
      status,
    });
  }
}

const NOTHING: Written = { samples: 0, histograms: 0, exemplars: 0 };
