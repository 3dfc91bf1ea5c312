import type { Plugin } from './host/contract.js';

export default {
  commands: [{
    word: 'auth',
    usage: 'auth USER PASSWORD',
    help: 'Log in, or change the account.',
    right: 'anyone',
    rawWords: true,
    run(request) {
      const [account, password, ...rest] = request.args;
      if (account === undefined || password === undefined || rest.length > 0) return request.usage();
      return request.login(account, password);
    },
  }],
} satisfies Plugin;
