// The Function: walks a registry and sends what it found. First comes `registry.json`, which says
// what is whose, then blobs and manifests, each of them once. Their bytes never enter this code:
// the host moves them and compares each with its digest.

import { send } from 'sealift:function/downstream@0.1.0';
import { json } from 'sealift:function/parameters@0.1.0';
import { advance, phase, statistic, total } from 'sealift:function/progress@0.1.0';

import { request, refused, text } from './http.js';
import { DIGEST, MANIFESTS, hex, names, next, references } from './registry.js';

export const source = {
  run() {
    const { repositories } = JSON.parse(json());
    const wanted = repositories.length > 0 ? repositories : catalogue();
    const found = wanted.map(walk);
    const index = {
      form: 'registry-export/v1',
      repositories: found.map(({ name, tags, manifests, blobs }) => ({
        name,
        tags: Object.fromEntries(tags),
        manifests: Object.fromEntries(
          [...manifests].map(([digest, { mediaType }]) => [digest, mediaType]),
        ),
        blobs: [...blobs.keys()],
      })),
    };
    const bytes = new TextEncoder().encode(`${JSON.stringify(index, null, 2)}\n`);
    const outgoing = send({
      name: 'registry.json',
      size: BigInt(bytes.length),
      attributes: [['media-type', 'application/json']],
    });
    outgoing.write(bytes);
    outgoing.finish();
    sendAll(found);
  },
};

/** All repositories of the registry. */
function catalogue() {
  phase('reading the catalogue');
  return pages('/v2/_catalog?n=100', (page) => names(page, 'repositories'));
}

/** Tags of a repository, and all that is reachable from them. */
function walk(name) {
  phase(`reading ${name}`);
  const repository = { name, tags: new Map(), manifests: new Map(), blobs: new Map() };
  for (const tag of pages(`/v2/${name}/tags/list?n=100`, (page) => names(page, 'tags'))) {
    repository.tags.set(tag, manifest(repository, tag));
  }
  return repository;
}

/** Reads a manifest by tag or digest, and what it names; returns its digest. */
function manifest(repository, reference) {
  if (repository.manifests.has(reference)) return reference;
  const path = `/v2/${repository.name}/manifests/${reference}`;
  const answer = request('GET', path, { headers: { accept: MANIFESTS.join(', ') } });
  if (answer.status !== 200) throw refused(`GET ${path}`, answer);
  const digest = DIGEST.test(reference)
    ? reference
    : answer.headers.get('docker-content-digest') ?? '';
  if (!DIGEST.test(digest)) throw wrong(`${path}: the digest ${digest} is not sha256`);
  if (repository.manifests.has(digest)) {
    answer.body.discard();
    return digest;
  }
  const content = text(answer.body, 4 << 20);
  const size = new TextEncoder().encode(content).length;
  const { mediaType, blobs, manifests } = references(content, answer.headers.get('content-type'));
  repository.manifests.set(digest, { mediaType, size });
  for (const blob of blobs) {
    if (!DIGEST.test(blob.digest)) throw wrong(`${path}: the digest ${blob.digest} is not sha256`);
    repository.blobs.set(blob.digest, blob.size);
  }
  for (const child of manifests) manifest(repository, child);
  for (const referrer of referrers(repository.name, digest)) manifest(repository, referrer);
  return digest;
}

/** What refers to a manifest, such as its signatures, where the registry knows that. */
function referrers(name, digest) {
  const path = `/v2/${name}/referrers/${digest}`;
  return pages(path, (page) => (page.manifests ?? []).map((entry) => entry.digest), true);
}

/** Items of a list that comes in pages. */
function pages(first, items, optional = false) {
  const all = [];
  for (let path = first; path !== undefined; ) {
    const answer = request('GET', path, { headers: { accept: '*/*' } });
    if (optional && answer.status === 404) {
      answer.body.discard();
      return all;
    }
    if (answer.status !== 200) throw refused(`GET ${path}`, answer);
    let page;
    try {
      page = JSON.parse(text(answer.body));
    } catch (error) {
      if (error.tag !== undefined || error.payload !== undefined) throw error;
      throw { tag: 'external-failed', val: `GET ${path}: the answer is no JSON` };
    }
    all.push(...items(page));
    path = next(path, answer.headers.get('link'));
  }
  return all;
}

/** Sends every blob and manifest once, below the first repository that has it. */
function sendAll(repositories) {
  const sent = new Set();
  const todo = [];
  for (const { name, blobs, manifests } of repositories) {
    for (const [digest, size] of blobs) todo.push({ kind: 'blobs', name, digest, size });
    for (const [digest, { size }] of manifests) todo.push({ kind: 'manifests', name, digest, size });
  }
  const once = todo.filter(({ digest }) => !sent.has(digest) && sent.add(digest));
  total(BigInt(once.reduce((sum, { size }) => sum + size, 0)));
  phase('sending');
  for (const { kind, name, digest, size } of once) {
    const path = `/v2/${name}/${kind}/${digest}`;
    const answer = request('GET', path, { headers: { accept: MANIFESTS.join(', ') } });
    if (answer.status !== 200) throw refused(`GET ${path}`, answer);
    const artifact = `${kind}/${name}/${hex(digest)}`;
    const outgoing = send({ name: artifact, size: BigInt(size), attributes: [] });
    outgoing.expectDigest('sha256', hex(digest));
    outgoing.forward(answer.body);
    outgoing.finish();
    advance(BigInt(size));
  }
  statistic('repositories', repositories.length);
  statistic('contents', once.length);
}

const wrong = (message) => ({ tag: 'external-failed', val: message });
