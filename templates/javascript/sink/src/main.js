// The Function: sends every artifact to the target. The bytes stay on the host's side.

import { json } from 'sealift:function/parameters@0.1.0';
import { receive } from 'sealift:function/upstream@0.1.0';

import { refused, request } from './http.js';
import { pathOf } from './names.js';

export const sink = {
  run() {
    const { folder } = JSON.parse(json());
    for (let artifact = receive(); artifact !== undefined; artifact = receive()) {
      const path = pathOf(folder, artifact.header.name);
      const answer = request('PUT', path, { body: artifact.body });
      if (answer.status < 200 || answer.status > 299) throw refused(`PUT ${path}`, answer);
      answer.body.discard();
    }
  },
};
