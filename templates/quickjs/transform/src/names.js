/** The name of an artifact in a folder. */
export function placed(folder, name) {
  const parts = folder.split('/').filter((part) => part !== '');
  return [...parts, name].join('/');
}
