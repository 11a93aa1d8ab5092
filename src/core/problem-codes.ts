/** Every code that a Problem may carry, with what it means; a code is never renamed. */
export const PROBLEM_CODES = {
  CEL_SYNTAX: 'a text is not a CEL expression',
  CEL_TYPE: 'the types of an expression do not go together, or it gives the wrong type',
  CEL_UNKNOWN_NAME: 'an expression names something that is not there',
  CEL_UNKNOWN_FUNCTION: 'an expression calls a function or method that is not there',
  CEL_DYNAMIC_NAME: 'an expression computes the name of a task or parameter',
  CEL_PATTERN: 'the pattern of matches() is not one',
  CEL_TOO_COMPLEX: 'an expression is longer or deeper than allowed',
  TEMPLATE_UNTERMINATED: 'a ${{ has no }} after it',
  DSL_SYNTAX: 'a text does not follow the grammar of the arrow language',
  DSL_UNKNOWN_FIELD: 'an unknown keyword or field of the arrow language',
  DSL_UNKNOWN_TASK: 'an arrow names a task that is not defined',
  DSL_UNKNOWN_PARAMETER: 'a task names a parameter that is not defined',
  DSL_DUPLICATE: 'a task or parameter is defined twice',
  DSL_PARAMETER_DEFAULT: 'a parameter has both or neither of default and defaultFromSecret',
  DSL_REPEATED: 'a field is given twice; the last one counts',
  DSL_TOO_LARGE: 'an arrow-language text is larger than allowed',
} as const
