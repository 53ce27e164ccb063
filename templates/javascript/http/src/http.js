// Requests to the names that the plan binds, such as `target`: the host connects, does TLS and adds
// the credential. Bodies stay on the host's side. SpiderMonkey never frees a list of bytes that it
// handed to the host, so bulk goes by `forward` and `drain`.

import { drain, fromStream } from 'sealift:function/wasi-streams@0.1.0';
import { handle } from 'wasi:http/outgoing-handler@0.2.12';
import { Fields, OutgoingBody, OutgoingRequest } from 'wasi:http/types@0.2.12';

const dispose = Symbol.dispose ?? Symbol.for('dispose');
const bytes = (text) => new TextEncoder().encode(text);

/** Sends a request and returns `{ status, headers, body }`, whatever the status.
 *
 * `headers` of the answer is a Map with names in lower case. `body` of the request is a body of the
 * host, such as that of an artifact. */
export function request(method, path, { name = 'target', headers = {}, body } = {}) {
  const what = `${method} ${path}`;
  const fields = Object.entries(headers).map(([key, value]) => [key, bytes(value)]);
  const size = body?.size();
  if (size !== undefined) fields.push(['content-length', bytes(String(size))]);
  const outgoing = new OutgoingRequest(Fields.fromList(fields));
  outgoing.setMethod({ tag: method.toLowerCase() });
  outgoing.setScheme({ tag: 'HTTP' });
  outgoing.setAuthority(name);
  outgoing.setPathWithQuery(path);
  const sent = body === undefined ? undefined : outgoing.body();
  let future;
  try {
    future = handle(outgoing, undefined);
  } catch (error) {
    throw failure(error.payload ?? error, what);
  }
  if (sent !== undefined) {
    const broken = upload(body, sent);
    if (broken !== undefined) {
      // Without its body the request ends. Whoever refuses without reading answers all the same.
      const answer = wait(future);
      if (answer.tag === 'err') throw broken;
      return response(answer.val);
    }
  }
  const answer = wait(future);
  if (answer.tag === 'err') throw failure(answer.val, what);
  return response(answer.val);
}

/** The whole body as text. */
export function text(body, most = 16 << 20) {
  const parts = [];
  let length = 0;
  for (let part = body.read(1 << 20); part !== undefined; part = body.read(1 << 20)) {
    length += part.length;
    if (length > most) throw failed(`an answer has more than ${most} bytes`);
    parts.push(part);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return new TextDecoder().decode(whole);
}

/** What an answer of the wrong status means for the session. Its body is used up. */
export function refused(what, answer) {
  let said = '';
  try {
    const part = answer.body.read(500);
    if (part !== undefined) said = new TextDecoder().decode(part).trim();
  } catch {
    // The status tells enough.
  }
  answer.body[dispose]();
  const message = `${what} was answered with ${answer.status}${said && `: ${said}`}`;
  if (answer.status === 401 || answer.status === 403) return { tag: 'denied', val: message };
  if (answer.status === 429 || answer.status >= 500) return retryable(message);
  return failed(message);
}

/** An error of something outside. */
export const failed = (message) => ({ tag: 'external-failed', val: message });
/** An error that another attempt may not meet. */
export const retryable = (message) => ({
  tag: 'retryable',
  val: { message, afterSeconds: undefined },
});

/** Sends a body to its end; returns the error that broke it off. */
function upload(body, sent) {
  const stream = sent.write();
  try {
    drain(body, stream);
  } catch (error) {
    stream[dispose]();
    sent[dispose]();
    return error;
  }
  stream[dispose]();
  try {
    OutgoingBody.finish(sent, undefined);
  } catch (error) {
    return failure(error.payload ?? error, 'the end of the request');
  }
  return undefined;
}

function wait(future) {
  const pollable = future.subscribe();
  pollable.block();
  pollable[dispose]();
  // The outer result is about this handle, the inner one about the connection.
  const answer = future.get().val;
  future[dispose]();
  return answer;
}

function response(incoming) {
  const headers = new Map();
  for (const [name, value] of incoming.headers().entries()) {
    headers.set(name.toLowerCase(), new TextDecoder().decode(value));
  }
  const length = headers.get('content-length');
  const stream = incoming.consume().stream();
  const body = fromStream(stream, length === undefined ? undefined : BigInt(length));
  return { status: incoming.status(), headers, body };
}

/** What a failed connection means for the session. */
function failure(code, what) {
  const detail = typeof code?.val === 'string' ? ` (${code.val})` : '';
  const message = `${what}: ${code?.tag ?? code}${detail}`;
  if (DENIED.has(code?.tag)) return { tag: 'denied', val: message };
  return PASSING.has(code?.tag) ? retryable(message) : failed(message);
}

const DENIED = new Set([
  'HTTP-request-denied',
  'destination-IP-prohibited',
  'HTTP-request-URI-invalid',
  'HTTP-request-method-invalid',
]);
const PASSING = new Set([
  'DNS-timeout',
  'DNS-error',
  'destination-not-found',
  'destination-unavailable',
  'destination-IP-unroutable',
  'connection-refused',
  'connection-terminated',
  'connection-timeout',
  'connection-read-timeout',
  'connection-write-timeout',
  'connection-limit-reached',
  'HTTP-response-timeout',
  'HTTP-response-incomplete',
]);
