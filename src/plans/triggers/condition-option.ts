import * as v from 'valibot';
import { text } from '../../config/values.js';
import { ConditionError, parseCondition, type Vocabulary } from './conditions.js';

/** A key of a table that holds a condition over these words. */
export const condition = (vocabulary: Vocabulary) => {
  const faultOf = (source: string): string | undefined => {
    try {
      parseCondition(source, vocabulary);
      return undefined;
    } catch (error) {
      if (error instanceof ConditionError) return error.message;
      throw error;
    }
  };
  return v.pipe(
    text,
    v.check((source) => faultOf(source) === undefined, (issue) => faultOf(String(issue.input)) ?? 'not a condition'),
    v.transform((source) => parseCondition(source, vocabulary)),
  );
};
