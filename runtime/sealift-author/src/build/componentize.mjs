// Calls componentize-js: node componentize.mjs LIBRARY MAIN WIT WORLD OUT
import { writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';

const [library, sourcePath, witPath, worldName, out] = process.argv.slice(2);
const { componentize } = await import(pathToFileURL(library));
const { component } = await componentize({
  sourcePath,
  witPath,
  worldName,
  // The engine's own fetch would import wasi:http whether or not it is called.
  disableFeatures: ['http', 'fetch-event'],
});
await writeFile(out, component);
