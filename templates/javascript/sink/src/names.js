/** The path an artifact goes to. */
export function pathOf(folder, name) {
  const parts = [...folder.split('/').filter((part) => part !== ''), ...name.split('/')];
  return parts.map((part) => `/${encodeURIComponent(part)}`).join('');
}
