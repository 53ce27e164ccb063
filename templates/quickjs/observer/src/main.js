// The Function: says how the session ended. An error of an observer is reported and changes nothing.

import outcomes from 'sealift:function/outcomes@0.1.0';
import progress from 'sealift:function/progress@0.1.0';
import session from 'sealift:function/session@0.1.0';

import { sentence } from './names.js';

export const observer = {
  run() {
    const status = outcomes.overall();
    const reason = outcomes.cause();
    const message = reason?.val?.message ?? reason?.val;
    const name = session.fact('session.name') ?? undefined;
    progress.log(status === 'succeeded' ? 'info' : 'warn', sentence(name, status, message));
  },
};
