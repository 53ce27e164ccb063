import assert from 'node:assert/strict';
import { test } from 'node:test';

import { artifactName } from '../src/names.js';

test('an artifact has the name of what was asked for', () => {
  assert.equal(artifactName('/v1/export.json?pretty'), 'export.json');
  assert.equal(artifactName('/a/b/'), 'b');
  assert.equal(artifactName('/'), 'export');
});
