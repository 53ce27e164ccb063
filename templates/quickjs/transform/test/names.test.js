import assert from 'node:assert/strict';
import { test } from 'node:test';

import { placed } from '../src/names.js';

test('a folder comes before the name, once', () => {
  assert.equal(placed('', 'a/b'), 'a/b');
  assert.equal(placed('2026/', 'a'), '2026/a');
  assert.equal(placed('/x//y', 'a'), 'x/y/a');
});
