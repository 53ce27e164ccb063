// What the answers of a registry mean. It asks nobody, and is tested without a host.

/** The one kind of digest that the host compares. */
export const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** Manifests that are asked for; a registry would turn others into its oldest form. */
export const MANIFESTS = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];

/** The digits of a digest. */
export const hex = (digest) => digest.slice('sha256:'.length);

/** A list of names in an answer; an empty one is told as null. */
export function names(page, field) {
  const list = page[field] ?? [];
  const valid = Array.isArray(list) && list.every((name) => /^[\w][\w./-]*$/.test(name));
  if (valid) return list;
  throw { tag: 'external-failed', val: `the registry's list of ${field} holds something else` };
}

/** Where the next page is: RFC 8288, as registries write it. */
export function next(path, link) {
  const found = /<([^>]+)>\s*;\s*rel="?next"?/.exec(link ?? '');
  if (found === null) return undefined;
  const target = found[1].replace(/^https?:\/\/[^/]+/, '');
  if (target.startsWith('/')) return target;
  if (target.startsWith('?')) return path.split('?')[0] + target;
  return path.slice(0, path.split('?')[0].lastIndexOf('/') + 1) + target;
}

/** What a manifest is, and what it is made of. */
export function references(content, contentType) {
  let manifest;
  try {
    manifest = JSON.parse(content);
  } catch {
    throw { tag: 'external-failed', val: 'a manifest is no JSON' };
  }
  const mediaType = manifest.mediaType ?? (contentType ?? '').split(';')[0].trim();
  if (!MANIFESTS.includes(mediaType)) {
    throw { tag: 'external-failed', val: `a manifest has the type ${mediaType}, which is unknown` };
  }
  // Layers that everybody gets elsewhere, such as those of Windows, are not in the registry.
  const layers = (manifest.layers ?? []).filter((layer) => !layer.urls?.length);
  const blobs = manifest.config === undefined ? layers : [manifest.config, ...layers];
  return {
    mediaType,
    blobs: blobs.map(({ digest, size }) => ({ digest, size })),
    manifests: (manifest.manifests ?? []).map(({ digest }) => digest),
  };
}
