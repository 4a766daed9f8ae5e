/** The status page: links, the live ledger, and how every destination is doing. No script; it refreshes itself. */
import { hash } from 'node:crypto';
import type { Endpoint } from '../ingest/endpoint.ts';
import { type Kind, kinds, type LedgerColumn } from '../ledger/ledger.ts';
import { Html, html } from './html.ts';
import type { ServicePorts } from './ports.ts';
import type { DestinationStatus, Status } from './status.ts';

const REFRESH_S = 5;

const STYLE = `
:root { color-scheme: light dark; --ink: light-dark(#1c2733, #dbe4ea); --soft: light-dark(#5b6b7a, #93a4b1);
  --page: light-dark(#f6f8f9, #12181d); --card: light-dark(#fff, #1a2229); --line: light-dark(#dfe6ea, #2b363f);
  --accent: light-dark(#0b7285, #66d9e8); --good: light-dark(#2b8a3e, #69db7c); --bad: light-dark(#c92a2a, #ff8787); }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 2rem 1.25rem; color: var(--ink); background: var(--page);
  font: 15px/1.5 system-ui, sans-serif; }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem 1rem; }
h1 { margin: 0; font-size: 1.6rem; letter-spacing: -.01em; }
h2 { margin: 2rem 0 .6rem; font-size: 1rem; }
.soft { color: var(--soft); }
nav { display: flex; flex-wrap: wrap; gap: .5rem; margin-top: 1rem; }
nav a { padding: .25rem .75rem; border: 1px solid var(--line); border-radius: 999px; background: var(--card);
  color: var(--accent); text-decoration: none; }
nav a:hover, nav a:focus-visible { border-color: var(--accent); }
.card { overflow-x: auto; border: 1px solid var(--line); border-radius: .6rem; background: var(--card); }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .45rem .9rem; text-align: right; white-space: nowrap; border-top: 1px solid var(--line); }
thead th { border-top: 0; color: var(--soft); font-weight: 500; }
th:first-child, td:first-child { text-align: left; }
tbody th { font-weight: 500; }
.zero { color: var(--soft); opacity: .6; }
.good::before, .bad::before { content: "●"; margin-right: .4em; }
.good::before { color: var(--good); }
.bad::before, .bad { color: var(--bad); }
.destination { display: flex; flex-wrap: wrap; gap: .2rem 1rem; align-items: baseline; padding: .7rem .9rem; }
.destination + table { border-top: 1px solid var(--line); }
.card + .card { margin-top: .8rem; }
footer { margin-top: 2rem; font-size: .85rem; }
`;

/** Nothing may run or load but this style and the icon, whatever a name or an error text holds. */
const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${hash('sha256', STYLE, 'base64')}'`,
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const links: readonly (readonly [string, string])[] = [
  ['metrics', 'Metrics'],
  ['flags', 'Options in use'],
  ['health', 'Health'],
  ['-/ready', 'Readiness'],
];

export function home(ports: Pick<ServicePorts, 'version' | 'status' | 'clock'>): Endpoint {
  const startMs = ports.clock.monotonicMs();
  return {
    paths: ['/'],
    access: 'basic',
    methods: ['GET', 'HEAD'],
    handle: () => ({
      status: 200,
      body: page(ports.version, ports.clock.monotonicMs() - startMs, ports.status.status()).text,
      contentType: 'text/html; charset=utf-8',
      headers: {
        'Content-Security-Policy': POLICY,
        'X-Content-Type-Options': 'nosniff',
        'Referrer-Policy': 'no-referrer',
        'Cache-Control': 'no-store',
      },
    }),
  };
}

function page(version: string, uptimeMs: number, status: Status): Html {
  const navigation = links.map(([path, title]) => html`<a href="${path}">${title}</a>`);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="${REFRESH_S}">
<title>Sluice</title>
<link rel="icon" href="favicon.ico">
<style>${new Html(STYLE)}</style>
</head>
<body>
<header><h1>Sluice</h1><span class="soft">${version}, up for ${duration(uptimeMs)}</span></header>
<nav>${navigation}</nav>
<main>
<h2>Ledger</h2>
<div class="card">${ledgerTable(status.ledger)}</div>
<h2>Destinations</h2>
${status.destinations.map(destinationCard)}
${status.orphans.length === 0 ? '' : orphansCard(status)}
${status.drops.length === 0 ? '' : dropsCard(status)}
</main>
<footer class="soft">Every sample that was accepted is in exactly one column. Refreshes every ${REFRESH_S} s.</footer>
</body>
</html>
`;
}

/** One row a column of the ledger (what was dropped only where it was), one column a kind: reads well on narrow screens. */
function ledgerTable(ledger: readonly LedgerColumn[]): Html {
  const seen = ledger.filter(({ column, counts }) => {
    return !column.startsWith('dropped_') || kinds.some((kind) => counts[kind] > 0);
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
  return html`<td class="${className}">${value.toLocaleString('en')}</td>`;
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
