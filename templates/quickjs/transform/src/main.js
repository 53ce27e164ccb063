// The Function: puts every artifact into a folder. QuickJS is small and quick to start, makes no
// requests, and is slow where it looks at single bytes: they stay on the host's side.

import downstream from 'sealift:function/downstream@0.1.0';
import parameters from 'sealift:function/parameters@0.1.0';
import upstream from 'sealift:function/upstream@0.1.0';

import { placed } from './names.js';

export const transform = {
  run() {
    const { folder } = JSON.parse(parameters.json());
    for (let artifact = upstream.receive(); artifact !== null; artifact = upstream.receive()) {
      const { header, body } = artifact;
      const outgoing = downstream.send({ ...header, name: placed(folder, header.name) });
      outgoing.forward(body);
      outgoing.finish();
    }
  },
};
