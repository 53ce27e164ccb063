// The Function: passes every artifact on untouched, and adds a list of their names, sizes and
// attributes. It sees no byte of them: QuickJS is slow where it looks at bytes, and need not.

import downstream from 'sealift:function/downstream@0.1.0';
import parameters from 'sealift:function/parameters@0.1.0';
import session from 'sealift:function/session@0.1.0';
import upstream from 'sealift:function/upstream@0.1.0';

import { inventory, utf8 } from './inventory.js';

export const transform = {
  run() {
    const { artifact: name } = JSON.parse(parameters.json());
    const entries = [];
    for (let artifact = upstream.receive(); artifact !== null; artifact = upstream.receive()) {
      const { header, body } = artifact;
      if (header.name === name) {
        const message = `an artifact is called ${name} as the list would be`;
        throw { tag: 'invalid-parameter', val: { field: '/artifact', message } };
      }
      const outgoing = downstream.send(header);
      outgoing.forward(body);
      entries.push({ name: header.name, size: outgoing.finish(), attributes: header.attributes });
    }
    const bytes = utf8(inventory(session.fact('session.name'), entries));
    const outgoing = downstream.send({ name, size: bytes.length, attributes: [] });
    outgoing.write(bytes);
    outgoing.finish();
  },
};
