// The Function: puts every artifact into a folder. The bytes stay on the host's side: SpiderMonkey
// never frees a list of bytes that it handed to the host.

import { send } from 'sealift:function/downstream@0.1.0';
import { json } from 'sealift:function/parameters@0.1.0';
import { receive } from 'sealift:function/upstream@0.1.0';

import { placed } from './names.js';

export const transform = {
  run() {
    const { folder } = JSON.parse(json());
    for (let artifact = receive(); artifact !== undefined; artifact = receive()) {
      const { header, body } = artifact;
      const outgoing = send({ ...header, name: placed(folder, header.name) });
      outgoing.forward(body);
      outgoing.finish();
    }
  },
};
