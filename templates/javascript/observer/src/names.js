/** How a session ended, in a sentence. */
export function sentence(session, status, cause) {
  const ended = `${session ?? 'the session'} has ${status}`;
  return cause === undefined ? ended : `${ended}: ${cause}`;
}
