/** The list, as JSON: artifacts by name, in the order of their names' code units. */
export function inventory(session, entries) {
  const sorted = [...entries].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const artifacts = sorted.map(({ name, size, attributes }) => ({
    name,
    size,
    attributes: Object.fromEntries(attributes),
  }));
  const bytes = artifacts.reduce((sum, artifact) => sum + artifact.size, 0);
  const form = 'sealift.inventory/v1';
  return `${JSON.stringify({ form, session, bytes, artifacts }, null, 2)}\n`;
}

/** A text as UTF-8. QuickJS has no TextEncoder. */
export function utf8(text) {
  const bytes = [];
  for (const character of text) {
    const code = character.codePointAt(0);
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), last(code));
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), last(code >> 6), last(code));
    else bytes.push(0xf0 | (code >> 18), last(code >> 12), last(code >> 6), last(code));
  }
  return new Uint8Array(bytes);
}

const last = (code) => 0x80 | (code & 0x3f);
