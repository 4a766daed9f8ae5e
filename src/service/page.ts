/** What all pages have in common: no script, one style, links, and a policy that lets nothing else in. */
import { hash } from 'node:crypto';
import type { EndpointAnswer } from '../ingest/endpoint.ts';
import { Html, html } from './html.ts';

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
form label { display: block; margin-bottom: .4rem; color: var(--soft); }
textarea { display: block; width: 100%; padding: .5rem; border: 1px solid var(--line); border-radius: .4rem;
  color: inherit; background: var(--page); font: 13px/1.5 ui-monospace, monospace; }
button { margin-top: .6rem; padding: .3rem 1rem; border: 1px solid var(--accent); border-radius: .4rem;
  color: var(--accent); background: var(--card); font: inherit; cursor: pointer; }
.pad { padding: .9rem; }
code, pre { margin: 0; font: 13px/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.steps td { text-align: left; vertical-align: top; white-space: normal; }
ol { display: grid; gap: .8rem; margin: 0; padding: 0; list-style: none; counter-reset: step; }
li { counter-increment: step; padding: .7rem .9rem; }
li pre::before { content: counter(step) ". "; color: var(--soft); }
.series { margin-top: .4rem; font: 13px/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
[data-side]::before { content: attr(data-side); display: inline-block; width: 2.5rem; color: var(--soft); }
.result, .error { padding: .7rem .9rem; }
.error { color: var(--bad); }
del { color: var(--bad); } ins { color: var(--good); text-decoration: none; }
footer { margin-top: 2rem; font-size: .85rem; }
`;

/** Nothing may run or load but this style and the icon, whatever a name or an error text holds. */
const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${hash('sha256', STYLE, 'base64')}'`,
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

/** Relative, so that they hold behind a path prefix: every page is at the root. */
const links: readonly (readonly [path: string, title: string])[] = [
  ['.', 'Status'],
  ['explain', 'Explain a series'],
  ['top', 'Top talkers'],
  ['metric-relabel-debug', 'Try rules'],
  ['stream-agg', 'Aggregation'],
  ['metrics', 'Metrics'],
  ['flags', 'Options in use'],
  ['health', 'Health'],
  ['-/ready', 'Readiness'],
];

export interface PageHead {
  readonly title: string;
  /** Beside the title. */
  readonly subtitle: string;
  /** It loads itself again after so many seconds. */
  readonly refreshS?: number;
}

export function page(
  { title, subtitle, refreshS }: PageHead,
  main: Html,
  footer: Html = html``,
): EndpointAnswer {
  const navigation = links.map(([path, name]) => html`<a href="${path}">${name}</a>`);
  const refresh = refreshS === undefined ? '' : html`<meta http-equiv="refresh" content="${refreshS}">`;
  const { text } = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${refresh}
<title>${title}</title>
<link rel="icon" href="favicon.ico">
<style>${new Html(STYLE)}</style>
</head>
<body>
<header><h1>${title}</h1><span class="soft">${subtitle}</span></header>
<nav>${navigation}</nav>
<main>
${main}
</main>
<footer class="soft">${footer}</footer>
</body>
</html>
`;
  return {
    status: 200,
    body: text,
    contentType: 'text/html; charset=utf-8',
    headers: {
      'Content-Security-Policy': POLICY,
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer',
      'Cache-Control': 'no-store',
    },
  };
}
