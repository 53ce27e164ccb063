import assert from 'node:assert/strict';
import { test } from 'node:test';

import { DIGEST, MANIFESTS, hex, names, next, references } from '../src/registry.js';

test('the next page is found in every form', () => {
  const path = '/v2/_catalog?n=2';
  assert.equal(next(path, undefined), undefined);
  assert.equal(next(path, '</v2/_catalog?last=b&n=2>; rel="next"'), '/v2/_catalog?last=b&n=2');
  assert.equal(next(path, '<http://r:5000/v2/_catalog?last=b>; rel=next'), '/v2/_catalog?last=b');
  assert.equal(next(path, '<?last=b>; rel="next"'), '/v2/_catalog?last=b');
  assert.equal(next(path, '<_catalog?last=b>; rel="next"'), '/v2/_catalog?last=b');
  assert.equal(next(path, '</v2/_catalog>; rel="prev"'), undefined);
});

test('a manifest is its config and the layers that are there', () => {
  const found = references(
    JSON.stringify({
      mediaType: MANIFESTS[1],
      config: { digest: 'sha256:c', size: 1 },
      layers: [
        { digest: 'sha256:l', size: 2 },
        { digest: 'sha256:w', size: 3, urls: ['https://elsewhere'] },
      ],
    }),
  );
  assert.deepEqual(found, {
    mediaType: MANIFESTS[1],
    blobs: [
      { digest: 'sha256:c', size: 1 },
      { digest: 'sha256:l', size: 2 },
    ],
    manifests: [],
  });
});

test('an index is its manifests, its type that of the answer', () => {
  const index = JSON.stringify({ manifests: [{ digest: 'sha256:a' }, { digest: 'sha256:b' }] });
  const found = references(index, `${MANIFESTS[0]}; charset=utf-8`);
  assert.deepEqual(found.manifests, ['sha256:a', 'sha256:b']);
  assert.deepEqual(found.blobs, []);
});

test('what is no manifest is an error of the other side', () => {
  for (const [content, type] of [['{', MANIFESTS[0]], ['{}', 'text/html']]) {
    assert.throws(() => references(content, type), { tag: 'external-failed' });
  }
});

test('names and digests are what they must be', () => {
  assert.deepEqual(names({ tags: ['v1', 'latest'] }, 'tags'), ['v1', 'latest']);
  assert.deepEqual(names({ tags: null }, 'tags'), []);
  assert.throws(() => names({ tags: ['../x'] }, 'tags'), { tag: 'external-failed' });
  const digest = `sha256:${'a'.repeat(64)}`;
  assert.ok(DIGEST.test(digest) && !DIGEST.test('sha512:aa'));
  assert.equal(hex(digest), 'a'.repeat(64));
});
