/** HTML text that is safe by construction: whatever is put into a template is escaped, unless it is HTML itself. */
export class Html {
  readonly text: string;

  /** Only for text that was written in this program. */
  constructor(text: string) {
    this.text = text;
  }
}

type Part = string | number | Html | readonly Html[];

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function rendered(part: Part): string {
  if (part instanceof Html) return part.text;
  if (Array.isArray(part)) return part.map((html: Html) => html.text).join('');
  return String(part).replace(/[&<>"']/g, (character) => entities[character]!);
}

export function html(literals: TemplateStringsArray, ...parts: readonly Part[]): Html {
  const text = parts.reduce<string>(
    (sofar, part, index) => sofar + rendered(part) + literals[index + 1]!,
    literals[0]!,
  );
  return new Html(text);
}
