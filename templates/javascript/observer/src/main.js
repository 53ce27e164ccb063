// The Function: says how the session ended. An error of an observer is reported and changes nothing.

import { cause, overall } from 'sealift:function/outcomes@0.1.0';
import { log } from 'sealift:function/progress@0.1.0';
import { fact } from 'sealift:function/session@0.1.0';

import { sentence } from './names.js';

export const observer = {
  run() {
    const status = overall();
    const reason = cause();
    const message = reason?.val?.message ?? reason?.val;
    log(status === 'succeeded' ? 'info' : 'warn', sentence(fact('session.name'), status, message));
  },
};
