import { fields, whole } from '../../../protocols/vmserverd/shape.js';
import { fault } from '../faults.js';
import { row, type Rows } from './parts.js';

/** What VMware's own table had at its end, to try a connection with. */

const number = whole();

/** Beyond what a number holds exactly nobody is told a wrong one. @throws OperationError */
function exact(result: number): number {
  if (!Number.isSafeInteger(result)) throw fault('INVALID_ARGUMENT', '<number>: the result is too large');
  return result;
}

export const numberRows: Rows = {
  dec: row({
    handler: 'main::decrement', access: 'authuser',
    in: fields({ number }), out: fields({ number }),
    run: ({ args }) => ({ number: exact(args.number - 1) }),
  }),
  div: row({
    handler: 'main::divide', access: 'authuser',
    in: fields({ number, divisor: number }), out: fields({ number }),
    run: ({ args }) => {
      if (args.divisor === 0) throw fault('INVALID_ARGUMENT', '<divisor>: nothing can be divided by 0');
      // to what lies nearer to zero, as whole numbers are divided in C; adding zero makes -0 a zero
      return { number: Math.trunc(args.number / args.divisor) + 0 };
    },
  }),
  inc: row({
    handler: 'main::increment', access: 'authuser', isPublic: true,
    in: fields({ number }), out: fields({ number }),
    run: ({ args }) => ({ number: exact(args.number + 1) }),
  }),
};
