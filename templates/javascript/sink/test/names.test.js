import assert from 'node:assert/strict';
import { test } from 'node:test';

import { pathOf } from '../src/names.js';

test('a name becomes a path below the folder', () => {
  assert.equal(pathOf('/', 'a/b.json'), '/a/b.json');
  assert.equal(pathOf('/x/', 'a b?'), '/x/a%20b%3F');
});
