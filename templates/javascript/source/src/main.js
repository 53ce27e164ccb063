// The Function: asks the target for one path and stores the answer. The bytes stay on the host's
// side. An answer without a length needs an interim volume if it has more than 1 MiB.

import { send } from 'sealift:function/downstream@0.1.0';
import { json } from 'sealift:function/parameters@0.1.0';

import { refused, request } from './http.js';
import { artifactName } from './names.js';

export const source = {
  run() {
    const { path } = JSON.parse(json());
    const answer = request('GET', path);
    if (answer.status !== 200) throw refused(`GET ${path}`, answer);
    const header = { name: artifactName(path), size: answer.body.size(), attributes: [] };
    const outgoing = send(header);
    outgoing.forward(answer.body);
    outgoing.finish();
  },
};
