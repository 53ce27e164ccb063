/** The last part of a path, as the name of an artifact. */
export function artifactName(path) {
  const parts = path.split('?')[0].split('/').filter((part) => part !== '');
  return parts.at(-1) ?? 'export';
}
