import assert from 'node:assert/strict';
import { test } from 'node:test';

import { inventory, utf8 } from '../src/inventory.js';

test('artifacts stand in order, with their sum', () => {
  const list = JSON.parse(
    inventory('nightly-1', [
      { name: 'b', size: 2, attributes: [['vault.version', '1.21']] },
      { name: 'a', size: 40, attributes: [] },
    ]),
  );
  assert.deepEqual(list, {
    form: 'sealift.inventory/v1',
    session: 'nightly-1',
    bytes: 42,
    artifacts: [
      { name: 'a', size: 40, attributes: {} },
      { name: 'b', size: 2, attributes: { 'vault.version': '1.21' } },
    ],
  });
});

test('text becomes the bytes that everybody else makes of it', () => {
  for (const text of ['', 'plain', 'Übergröße', '€ 漢字', '𐍈 🗝️', '\u0000']) {
    assert.deepEqual(utf8(text), new TextEncoder().encode(text));
  }
});
