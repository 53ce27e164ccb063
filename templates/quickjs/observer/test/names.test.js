import assert from 'node:assert/strict';
import { test } from 'node:test';

import { sentence } from '../src/names.js';

test('a cause is told where there is one', () => {
  assert.equal(sentence('nightly-1', 'succeeded', undefined), 'nightly-1 has succeeded');
  assert.equal(sentence(undefined, 'failed', 'disk full'), 'the session has failed: disk full');
});
