/** The status page: links, the live ledger, and how every destination is doing. No script; it refreshes itself. */
import type { Endpoint } from '../ingest/endpoint.ts';
import { type Kind, kinds, type LedgerColumn } from '../ledger/ledger.ts';
import { thousands } from '../util/thousands.ts';
import { type Html, html } from './html.ts';
import { page } from './page.ts';
import type { ServicePorts } from './ports.ts';
import type { DestinationStatus, Status, TopShown } from './status.ts';
import { covered, tables } from './top.ts';

const REFRESH_S = 5;
const TALKERS_SHOWN = 3;

export function home(ports: Pick<ServicePorts, 'version' | 'status' | 'clock'>): Endpoint {
  const startMs = ports.clock.monotonicMs();
  return {
    paths: ['/'],
    access: 'basic',
    methods: ['GET', 'HEAD'],
    handle: async () => {
      const talkers = await ports.status.top();
      const uptime = duration(ports.clock.monotonicMs() - startMs);
      return page(
        { title: 'Sluice', subtitle: `${ports.version}, up for ${uptime}`, refreshS: REFRESH_S },
        content(ports.status.status(), talkers),
        html`Every sample that was accepted is in exactly one column. Refreshes every ${REFRESH_S} s.`,
      );
    },
  };
}

function content(status: Status, talkers: TopShown | undefined): Html {
  return html`<h2>Ledger</h2>
<div class="card">${ledgerTable(status.ledger)}</div>
<h2>Destinations</h2>
${status.destinations.map(destinationCard)}
${status.orphans.length === 0 ? '' : orphansCard(status)}
${status.drops.length === 0 ? '' : dropsCard(status)}
${talkers === undefined || talkers.samples === 0 ? '' : html`<h2>Top talkers</h2><p class="soft">${covered(talkers)}; <a href="top">more</a></p>${tables(talkers, TALKERS_SHOWN)}`}`;
}

const SOMETIMES = /^(?:dropped_|aggregated_|deduplicated_|restored$)/;

/** One row a column of the ledger (what was dropped or aggregated only where it was), one column a kind: reads well on narrow screens. */
function ledgerTable(ledger: readonly LedgerColumn[]): Html {
  const seen = ledger.filter(({ column, counts }) => {
    return !SOMETIMES.test(column) || kinds.some((kind) => counts[kind] > 0);
  });
  const rows = seen.map(
    ({ column, counts }) =>
      html`<tr><th scope="row">${column.replaceAll('_', ' ')}</th>${kinds.map((kind) => cell(counts[kind]))}</tr>
`,
  );
  const heads = kinds.map((kind: Kind) => html`<th scope="col">${kind}</th>`);
  return html`<table><thead><tr><th></th>${heads}</tr></thead><tbody>
${rows}</tbody></table>`;
}

function cell(value: number): Html {
  const className = value === 0 ? 'zero' : '';
  return html`<td class="${className}">${thousands(value)}</td>`;
}

function destinationCard(destination: DestinationStatus): Html {
  const { name, url, state, isHealthy } = destination;
  return html`<section class="card">
<div class="destination"><strong>${name}</strong><span class="soft">${url}</span><span class="${isHealthy ? 'good' : 'bad'}">${state}</span><span class="soft">${backlogText(destination)}</span></div>
${ledgerTable(destination.ledger)}
</section>
`;
}

function backlogText(destination: DestinationStatus): string {
  const { pendingBytes, oldestAgeS, secondsToFull, secondsToDrain, deadLetters } = destination;
  const parts = [`${size(pendingBytes)} waiting`];
  if (oldestAgeS >= 1) parts.push(`the oldest for ${duration(oldestAgeS * 1000)}`);
  if (secondsToFull !== undefined && Number.isFinite(secondsToFull)) {
    parts.push(`full in ${duration(secondsToFull * 1000)} at this rate`);
  }
  if (pendingBytes > 0 && Number.isFinite(secondsToDrain)) {
    parts.push(`sent in ${duration(secondsToDrain * 1000)} at this rate`);
  }
  if (deadLetters > 0) parts.push(`${deadLetters} dead letters (sluice dlq ls)`);
  return parts.join(', ');
}

function orphansCard({ orphans }: Status): Html {
  return html`<section class="card"><strong>Queues without a destination</strong>
${orphans.map(({ name, bytes }) => html`<p>${name}: ${size(bytes)}. Send it with <code>sluice queue adopt ${name} DESTINATION</code>, or delete it with <code>sluice queue purge ${name}</code>.</p>`)}
</section>`;
}

function dropsCard({ drops }: Status): Html {
  return html`<h2>Series dropped last</h2>
<div class="card"><table><thead><tr><th>Reason</th><th>Client</th><th>Series</th></tr></thead><tbody>
${drops.map(
  ({
    reason,
    series,
    client,
  }) => html`<tr><th scope="row">${reason.replaceAll('_', ' ')}</th><td>${client}</td><td><code>${series}</code></td></tr>
`,
)}</tbody></table></div>`;
}

/** The two largest units: `3 d 4 h`. */
function duration(ms: number): string {
  let left = Math.floor(ms / 1_000);
  const parts: string[] = [];
  for (const [unit, seconds] of [
    ['d', 86_400],
    ['h', 3_600],
    ['min', 60],
    ['s', 1],
  ] as const) {
    const count = Math.floor(left / seconds);
    left %= seconds;
    if (count > 0 || parts.length > 0 || unit === 's') parts.push(`${count} ${unit}`);
  }
  return parts.slice(0, 2).join(' ');
}

function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 1024 ** power;
  return `${value.toFixed(power > 0 && value < 10 ? 1 : 0)} ${units[power]}`;
}
