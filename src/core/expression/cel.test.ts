import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Json } from '../json.ts'
import { compileExpression, EXPRESSION_LENGTH_MAX } from './cel.ts'
import { ExpressionError, type ExpressionScope, type ExpressionValues } from './expression.ts'

const scope: ExpressionScope = {
  parameters: new Map([
    ['count', 'integer'],
    ['ratio', 'number'],
    ['region', 'string'],
    ['debug', 'boolean'],
    ['config', 'json'],
  ]),
  tasks: new Map([
    ['list', ['files', 'n', 'file-list', 'json']],
    ['build', []],
    ['build-app', ['image']],
    ['build-app-2', []],
    ['1st', []],
    ['in', []],
  ]),
  item: true,
  event: true,
  attempt: true,
}

const task = (state: string, exitCode: number, outputs: Record<string, string> = {}) => ({
  state,
  exitCode,
  outputs,
})

const values: ExpressionValues = {
  parameters: {
    count: 3,
    ratio: 2,
    region: 'eu-west-1',
    debug: true,
    config: JSON.parse(
      '{"a":{"b":[1,2.5,"x",null,true]},"n":7,"constructor":5,"__proto__":{"deep":1},"to-string":"dash"}',
    ) as Json,
  },
  tasks: {
    list: task('succeeded', 0, { files: 'a b c', n: '4', 'file-list': 'x,y', json: '[{"id":1},{"id":2}]' }),
    build: task('failed', 17),
    'build-app': task('skipped', -1),
    'build-app-2': task('upstreamFailed', -1),
    '1st': task('succeeded', 0),
    in: task('cancelled', -1),
  },
  run: { id: 'r-1', name: 'nightly', dag: 'etl', scheduledTime: '2026-03-29T01:00:00Z' },
  attempt: 2,
  item: { name: 'blue', size: 2 },
  index: 1,
  event: { type: 'push', tags: ['v1', 'v2'] },
}

/** Expression → value. */
const GIVES: readonly (readonly [string, Json])[] = [
  // integers
  ['1 + 2 * 3', 7],
  ['7 / 2', 3],
  ['-7 / 2', -3],
  ['7 % 3', 1],
  ['-7 % 3', -1],
  ['0x10', 16],
  ['2 - -2', 4],
  ['-(3)', -3],
  ['1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3 && 1 != 2', true],
  ['9007199254740991', 9007199254740991],
  // doubles
  ['1.5 + 1.5', 3],
  ['1.0 / 4.0', 0.25],
  ['2.0 == 2.0', true],
  ['1e3', 1000],
  ['1 < 1.5', true],
  ['double(7) / 2.0', 3.5],
  ['int(3.9)', 3],
  ['int(-3.9)', -3],
  // texts
  ["'a' + 'b'", 'ab'],
  ['"it\'s"', "it's"],
  [String.raw`'tab\tline\n\x41é'`, 'tab\tline\nAé'],
  [String.raw`r'\d'`, String.raw`\d`],
  ['"""three "quotes" here"""', 'three "quotes" here'],
  ["'abc' < 'abd'", true],
  ["size('héllo')", 5],
  ["size('👍')", 1],
  ["'abc'.size()", 3],
  ["'hello'.startsWith('he') && 'hello'.endsWith('lo') && 'hello'.contains('ell')", true],
  ["'a,b,,c'.split(',')", ['a', 'b', '', 'c']],
  ["'a,b,c'.split(',', 2)", ['a', 'b,c']],
  ["['a', 'b'].join('-')", 'a-b'],
  ["['a', 'b'].join()", 'ab'],
  ["'a.b.c'.replace('.', '/')", 'a/b/c'],
  ["'$1'.replace('1', '$&')", '$$&'],
  ["'ab'.replace('', '-')", '-a-b-'],
  ["'  x '.trim()", 'x'],
  ["'ABCÄ'.lowerAscii()", 'abcÄ'],
  ["'abcä'.upperAscii()", 'ABCä'],
  ["'tacocat'.indexOf('co')", 2],
  ["'tacocat'.indexOf('x')", -1],
  ["'tacocat'.lastIndexOf('a')", 5],
  ["'tacocat'.substring(4)", 'cat'],
  ["'tacocat'.substring(0, 4)", 'taco'],
  ["'v1.2.3'.matches('^v[0-9]+(\\\\.[0-9]+){2}$')", true],
  ["'v1.2'.matches('^v[0-9]+(\\\\.[0-9]+){2}$')", false],
  ["'xxabcxx'.matches('abc')", true],
  // conversions
  ["int('42') + 1", 43],
  ["int('-7')", -7],
  ["double('2.5')", 2.5],
  ["double('1e-2')", 0.01],
  ['string(12) + string(true) + string(1.5)', '12true1.5'],
  ["bool('true') && !bool('false')", true],
  ['type(1) == int', true],
  ["type('a') == string", true],
  ['dyn(1) == 1', true],
  // logic
  ['true ? 1 : 2', 1],
  ['false || true && !false', true],
  ['true || 1 / 0 == 1', true],
  ['1 / 0 == 1 || true', true],
  ['false && 1 / 0 == 1', false],
  ['null == null', true],
  ['null', null],
  // lists and maps
  ['[1, 2, 3]', [1, 2, 3]],
  ["[1, 'a', true]", [1, 'a', true]],
  ['[1, 2][1]', 2],
  ['[1] + [2]', [1, 2]],
  ['2 in [1, 2]', true],
  ['size([1, 2])', 2],
  ['[]', []],
  ['[1, 2] == [1, 2]', true],
  ["{'a': 1, 'b': [2]}", { a: 1, b: [2] }],
  ["{'a': 1}.a", 1],
  ["{'a': 1}['a']", 1],
  ["'a' in {'a': 1}", true],
  ["{'a': {'b': 1}} == {'a': {'b': 1}}", true],
  ['{}', {}],
  ['{1: 2}', { 1: 2 }],
  ["size({'a': 1})", 1],
  ["{'constructor': 1}.constructor", 1],
  // macros
  ['[1, 2, 3].map(x, x * 2)', [2, 4, 6]],
  ['[1, 2, 3].map(x, x > 1, x * 2)', [4, 6]],
  ['[1, 2, 3].filter(x, x > 1)', [2, 3]],
  ['[1, 2, 3].all(x, x > 0)', true],
  ['[1, 2, 3].exists(x, x == 2)', true],
  ['[1, 2, 2].exists_one(x, x == 2)', false],
  ['[[1, 2], [3]].map(x, x.map(y, y + 1))', [[2, 3], [4]]],
  ["{'b': 1, 'a': 2}.map(k, k)", ['b', 'a']],
  ['cel.bind(x, 2 + 3, x * x)', 25],
  ['range(3)', [0, 1, 2]],
  ['range(0)', []],
  ["range(2).map(i, {'shard': i})", [{ shard: 0 }, { shard: 1 }]],
  // JSON
  ['json(\'[1, 2.5, "a", null, true]\')', [1, 2.5, 'a', null, true]],
  ['json(\'{"a": {"b": 2}}\').a.b + 1', 3],
  ['json(\'{"__proto__": 1}\').__proto__', 1],
  ["'a' in json('[1, \"a\"]')", true],
  ["'a' in json('[1, 2]')", false],
  ["json('[\"a\", 1]') == [1, 'a']", false],
  ["json('[\"a\", 1]') == ['a', 1]", true],
  ["json('{\"a\": 1}') == {'a': 1.0}", true],
  ["'x' == item.size", false],
  ['item.size == 2.0', true],
  ['item != null', true],
  ["timestamp('2026-01-01T00:00:00Z') == timestamp('2026-01-01T01:00:00+01:00')", true],
  // times
  ['timestamp(run.scheduledTime).getDayOfWeek()', 0],
  ["timestamp('2026-01-02T03:04:05Z').getHours()", 3],
  ["timestamp('2026-01-02T03:04:05Z') < timestamp('2026-01-02T03:04:06Z')", true],
  ["timestamp('2026-01-01T00:00:00Z') + duration('36h')", '2026-01-02T12:00:00.000Z'],
  ["duration('90s') > duration('1m')", true],
  ["duration('90s')", '90s'],
  // names
  ['parameters.count + 1', 4],
  ['parameters.count-1', 2],
  ['parameters.ratio * 1.5', 3],
  ["parameters.region == 'eu-west-1'", true],
  ["parameters['region']", 'eu-west-1'],
  ['parameters.debug ? 1 : 0', 1],
  ['parameters.config.a.b', [1, 2.5, 'x', null, true]],
  ['parameters.config.a.b[0] + parameters.config.n', 8],
  ["parameters.config['to-string']", 'dash'],
  ['has(parameters.config.a) && !has(parameters.config.z)', true],
  ['parameters.config.constructor', 5],
  ['has(parameters.config.toString)', false],
  ["'valueOf' in parameters.config", false],
  ['tasks.list.state', 'succeeded'],
  ['tasks.build.exitCode', 17],
  ['tasks.build-app.exitCode', -1],
  ['tasks.build-app.state', 'skipped'],
  ['tasks.build-app-2.state', 'upstreamFailed'],
  ['tasks["build-app"].state', 'skipped'],
  ["tasks [ 'build-app' ] . state", 'skipped'],
  ['tasks. // which one?\n build .state', 'failed'],
  ['tasks.1st.state', 'succeeded'],
  ['tasks.in.state', 'cancelled'],
  ['tasks.list.outputs.n', '4'],
  ['int(tasks.list.outputs.n) > 3', true],
  ["tasks.list.outputs.files.split(' ')", ['a', 'b', 'c']],
  ["tasks.list.outputs.file-list.split(',')", ['x', 'y']],
  ['tasks.list.outputs["file-list"]', 'x,y'],
  ['json(tasks.list.outputs.json).map(x, x.id)', [1, 2]],
  ['tasks.list.outputs.files.size()-int(tasks.list.outputs.n)', 1],
  ['has(tasks.build-app.outputs.image)', false],
  ["'n' in tasks.list.outputs", true],
  ["tasks.list.outputs[parameters.region == '' ? 'files' : 'n']", '4'],
  ["'tasks.nowhere.state'", 'tasks.nowhere.state'],
  ['"\\"tasks.nowhere" == \'tasks.nowhere\'', false],
  ["tasks.build.state in ['failed', 'upstreamFailed']", true],
  ['run.dag + "/" + run.id', 'etl/r-1'],
  ['attempt + index', 3],
  ['item.name', 'blue'],
  ['item.size + 1', 3],
  ['event.tags.exists(t, t == "v2")', true],
  ["{'parameters': 1}['parameters']", 1],
]

/** Expression → code of the first problem, its offset, and a part of its message. */
const REFUSED: readonly (readonly [string, string, number, string])[] = [
  ['', 'CEL_SYNTAX', 0, 'empty'],
  ['   ', 'CEL_SYNTAX', 0, 'empty'],
  ['1 +', 'CEL_SYNTAX', 3, 'the end'],
  ['(1', 'CEL_SYNTAX', 2, 'expected ), got the end'],
  ['1 2', 'CEL_SYNTAX', 2, 'unexpected'],
  ["'abc", 'CEL_SYNTAX', 0, 'unterminated'],
  ['a = 1', 'CEL_SYNTAX', 2, 'unexpected character'],
  ["'\\q'", 'CEL_SYNTAX', 1, 'escape'],
  ['if', 'CEL_SYNTAX', 0, 'reserved'],
  ['`x`', 'CEL_SYNTAX', 0, 'unexpected character'],
  ['item.?name', 'CEL_SYNTAX', 5, 'expected'],
  ["'1' + 1", 'CEL_TYPE', 0, 'string + int'],
  ['1.0 + 1', 'CEL_TYPE', 0, 'double + int'],
  ['true && 1', 'CEL_TYPE', 0, 'bool'],
  ['!1', 'CEL_TYPE', 0, '!int'],
  ['size(1)', 'CEL_TYPE', 0, 'size(int)'],
  ["'a'.startsWith(1)", 'CEL_TYPE', 0, 'startsWith'],
  ["[1].join(',')", 'CEL_TYPE', 0, 'join(string)'],
  ["true ? 1 : 'a'", 'CEL_TYPE', 0, 'same type'],
  ["'a'.size", 'CEL_TYPE', 4, 'size is a method'],
  ["b'abc'", 'CEL_TYPE', 0, 'bytes'],
  ['1u', 'CEL_TYPE', 0, 'unsigned'],
  ['tasks.list.outputs.n > 3', 'CEL_TYPE', 0, 'string > int'],
  ['parameters.count == "3"', 'CEL_TYPE', 0, 'int == string'],
  ["timestamp(run.scheduledTime).getHours('Europe/Berlin')", 'CEL_TYPE', 29, 'no zone'],
  ['parameters.regoin', 'CEL_UNKNOWN_NAME', 11, 'did you mean region'],
  ['1 + parameters.cuont-1', 'CEL_UNKNOWN_NAME', 15, 'did you mean count'],
  ['tasks.biuld-app.state', 'CEL_UNKNOWN_NAME', 6, 'biuld-app; did you mean build-app'],
  ['tasks["nowhere"].state', 'CEL_UNKNOWN_NAME', 7, 'nowhere'],
  ['tasks.list.stat', 'CEL_UNKNOWN_NAME', 11, 'did you mean state'],
  ['tasks.list.n', 'CEL_UNKNOWN_NAME', 11, 'did you mean outputs.n'],
  ['tasks.list.outputs.fils', 'CEL_UNKNOWN_NAME', 19, 'did you mean files'],
  ['tasks.build.outputs.x', 'CEL_UNKNOWN_NAME', 20, 'no output of tasks.build called x'],
  ['tasks.list', 'CEL_UNKNOWN_NAME', 0, 'alone is not a value'],
  ['tasks', 'CEL_UNKNOWN_NAME', 0, 'alone is not a value'],
  ['parameters.size()', 'CEL_UNKNOWN_NAME', 0, 'alone is not a value'],
  ['region', 'CEL_UNKNOWN_NAME', 0, 'did you mean parameters.region'],
  ['build == 1', 'CEL_UNKNOWN_NAME', 0, 'did you mean tasks.build'],
  ['has(json("1").a)', 'CEL_SYNTAX', 4, 'has'],
  ['run.idd', 'CEL_UNKNOWN_NAME', 4, 'did you mean id'],
  ['itm.name', 'CEL_UNKNOWN_NAME', 0, 'did you mean item'],
  ['google.protobuf.Timestamp', 'CEL_UNKNOWN_NAME', 0, 'google'],
  ['cel', 'CEL_UNKNOWN_NAME', 0, 'cel'],
  ['taskS', 'CEL_UNKNOWN_NAME', 0, 'taskS'],
  ['process.env', 'CEL_UNKNOWN_NAME', 0, 'process'],
  ['globalThis', 'CEL_UNKNOWN_NAME', 0, 'globalThis'],
  ['constructor', 'CEL_UNKNOWN_NAME', 0, 'constructor'],
  ['__proto__', 'CEL_SYNTAX', 0, '__proto__'],
  ['tasks[parameters.region].state', 'CEL_DYNAMIC_NAME', 5, 'written out'],
  ['parameters[run.name]', 'CEL_DYNAMIC_NAME', 10, 'written out'],
  ['foo(1)', 'CEL_UNKNOWN_FUNCTION', 0, 'foo'],
  ["'a'.lowerAsci()", 'CEL_UNKNOWN_FUNCTION', 4, 'did you mean lowerAscii'],
  ["split('a', ',')", 'CEL_UNKNOWN_FUNCTION', 0, 'value.split()'],
  ["('a').toString()", 'CEL_UNKNOWN_FUNCTION', 6, 'toString'],
  ["eval('1')", 'CEL_UNKNOWN_FUNCTION', 0, 'eval'],
  ["bytes('a')", 'CEL_UNKNOWN_FUNCTION', 0, 'bytes'],
  ['item.bind(x, 1, x)', 'CEL_UNKNOWN_FUNCTION', 5, 'bind'],
  ['timestamp(run.scheduledTime).getDayOfYear()', 'CEL_UNKNOWN_FUNCTION', 29, 'getDayOfYear'],
  ["'a'.matches('(')", 'CEL_PATTERN', 12, 'without its )'],
  ["'a'.matches('(a)\\\\1')", 'CEL_PATTERN', 12, 'escape \\1'],
  ['[1].map(item, item)', 'CEL_SYNTAX', 0, 'item cannot be the name'],
  ['[1].map(1, 2)', 'CEL_SYNTAX', 8, 'variable'],
  [`1${' + 1'.repeat(600)}`, 'CEL_TOO_COMPLEX', 0, 'too large'],
  [`${'('.repeat(60)}1${')'.repeat(60)}`, 'CEL_TOO_COMPLEX', 50, 'too large'],
  ['[1].map(a, [1].map(b, [1].map(c, [1].map(d, [1].map(e, e)))))', 'CEL_TOO_COMPLEX', 44, 'macros'],
  [`'${'x'.repeat(EXPRESSION_LENGTH_MAX)}'`, 'CEL_TOO_COMPLEX', 0, 'characters long'],
]

/** Expression → a part of the message of the ExpressionError. */
const FAILS: readonly (readonly [string, string])[] = [
  ['1 / 0', 'division by zero'],
  ['1 % 0', 'modulo by zero'],
  ['9223372036854775807 + 1', 'overflow'],
  ['9007199254740992', 'too large to keep exactly'],
  ['0.0 / 0.0', 'no number'],
  ['type(1)', 'not data'],
  ["int('')", 'no integer'],
  ["int('0x10')", 'no integer'],
  ["int('4 2')", 'no integer'],
  ["int('1.5')", 'no integer'],
  ["double('abc')", 'no number'],
  ["bool('yes')", 'bool'],
  ['[1][1]', 'out of bounds'],
  ['[1][-1]', 'out of bounds'],
  ["{'a': 1}.b", 'no key called b'],
  ["{'a': 1, 'a': 2}", 'twice'],
  ['tasks.build-app.outputs.image', 'task build-app gave no output called image'],
  ['item.nme', 'no key called nme'],
  ['item.name.first', 'a text has no field first'],
  ['item + 1', 'no such overload'],
  ["item.size < 'a'", 'no such overload: int < string'],
  ['1 in item.size', 'wants a list or a map'],
  ["json('{')", 'not JSON'],
  ["json('[' + '\"' + ']')", 'not JSON'],
  ["timestamp('2026-01-02')", 'RFC 3339'],
  ["timestamp('Tue Mar 01 2022 12:00:00')", 'RFC 3339'],
  ["timestamp('2026-13-02T00:00:00Z')", 'RFC 3339'],
  ["timestamp('2026-01-02T03:04:05Z').__proto__", 'has no field __proto__'],
  ["timestamp('2026-01-02T03:04:05Z').constructor", 'has no field constructor'],
  ["duration('1h').__proto__", 'has no field __proto__'],
  ['dyn(int).name', 'has no field name'],
  ["dyn('a').constructor", 'a text has no field constructor'],
  ['dyn([1]).constructor', 'constructor'],
  ['dyn([1]).length', 'length'],
  ['parameters.config.a.toString', 'no key called toString'],
  ['parameters.config.a.__proto__', 'no key called __proto__'],
  ["'abc'.substring(2, 1)", 'range'],
  ['range(-1)', 'range() takes 0 to 10000'],
  ['range(10001)', 'range() takes 0 to 10000'],
  ["'a'.matches('(' + '')", 'without its )'],
]

test('an expression gives the value that CEL says', () => {
  for (const [text, wanted] of GIVES) {
    const compiled = compileExpression(text, scope, 'any')
    assert.ok(compiled.ok, `${text}: ${JSON.stringify(compiled)}`)
    assert.deepEqual(compiled.value.evaluate(values), wanted, text)
    assert.deepEqual(compiled.value.evaluate(values), wanted, `${text}, the second time`)
  }
})

test('a mistake that can be seen without running shows at once, with its place', () => {
  for (const [text, code, offset, message] of REFUSED) {
    const compiled = compileExpression(text, scope, 'any')
    assert.ok(!compiled.ok, `${text} is accepted`)
    const [first] = compiled.problems
    const shown = `${text}: ${JSON.stringify(compiled.problems)}`
    assert.deepEqual([first?.code, first?.offset], [code, offset], shown)
    assert.ok(first !== undefined && first.message.includes(message), shown)
    assert.ok(first.fix !== '' && first.path.length === 0 && first.severity === 'error', shown)
  }
})

test('what only shows while running is an ExpressionError', () => {
  for (const [text, message] of FAILS) {
    const compiled = compileExpression(text, scope, 'any')
    assert.ok(compiled.ok, `${text}: ${JSON.stringify(compiled)}`)
    assert.throws(
      () => compiled.value.evaluate(values),
      (error: unknown) => {
        assert.ok(error instanceof ExpressionError)
        assert.equal(error.text, text)
        assert.ok(error.message.includes(message), `${text}: ${error.message}`)
        return true
      },
    )
  }
})

test('every unknown name is reported, not only the first', () => {
  const compiled = compileExpression('tasks.x.state == parameters.y && run.z == 1 && attmpt', scope, 'any')
  assert.ok(!compiled.ok)
  assert.deepEqual(
    compiled.problems.map(problem => problem.offset),
    [6, 28, 37],
  )
})

describe('the names of a scope', () => {
  const bare: ExpressionScope = {
    parameters: new Map(),
    tasks: new Map(),
    item: false,
    event: false,
    attempt: false,
  }

  test('item, index, event and attempt are known only where they mean something', () => {
    for (const name of ['item', 'index', 'event', 'attempt']) {
      const compiled = compileExpression(name, bare, 'any')
      assert.ok(!compiled.ok)
      assert.equal(compiled.problems[0]?.code, 'CEL_UNKNOWN_NAME')
    }
  })

  test('the longest task name that fits is meant', () => {
    const long: ExpressionScope = {
      ...bare,
      tasks: new Map([
        ['a', []],
        ['a-b', []],
        ['a-b-c', []],
      ]),
    }
    for (const name of ['a', 'a-b', 'a-b-c']) {
      const compiled = compileExpression(`tasks.${name}.state`, long, 'any')
      assert.ok(compiled.ok)
      assert.deepEqual(compiled.value.references.tasks, [name])
    }
  })

  test('the same text means other names in another scope', () => {
    const one: ExpressionScope = { ...bare, parameters: new Map([['x', 'integer']]) }
    const other: ExpressionScope = { ...bare, parameters: new Map([['x', 'string']]) }
    assert.ok(compileExpression('parameters.x + 1', one, 'any').ok)
    assert.ok(!compileExpression('parameters.x + 1', other, 'any').ok)
    assert.ok(compileExpression('parameters.x + 1', one, 'any').ok)
  })

  test('references are the parameters and tasks that are named, each once', () => {
    const text =
      "tasks.list.outputs.n == parameters.region || tasks.build.state == 'failed' && tasks.list.exitCode == 0"
    const compiled = compileExpression(text, scope, 'boolean')
    assert.ok(compiled.ok)
    assert.deepEqual(compiled.value.references, { parameters: ['region'], tasks: ['list', 'build'] })
  })

  test('only what is referred to has to have a value', () => {
    const compiled = compileExpression('parameters.count == 3', scope, 'boolean')
    assert.ok(compiled.ok)
    const { run } = values
    assert.equal(compiled.value.evaluate({ parameters: { count: 3 }, tasks: {}, run }), true)
    assert.throws(() => compiled.value.evaluate({ parameters: {}, tasks: {}, run }), ExpressionError)
  })

  test('a parameter whose value is not of its type is an error, not a surprise', () => {
    const compiled = compileExpression('parameters.count == 3', scope, 'boolean')
    assert.ok(compiled.ok)
    for (const count of ['3', 3.5, null, true, [3]]) {
      assert.throws(
        () => compiled.value.evaluate({ ...values, parameters: { count } }),
        /parameter count is not of its type, integer/,
      )
    }
  })

  test('a whole number in a parameter of type number is a double still', () => {
    const compiled = compileExpression('parameters.ratio / 4.0', scope, 'any')
    assert.ok(compiled.ok)
    assert.equal(compiled.value.evaluate(values), 0.5)
  })
})

describe('the wanted type', () => {
  test('boolean refuses what is surely something else, and checks the rest while running', () => {
    assert.ok(compileExpression('true', scope, 'boolean').ok)
    assert.ok(!compileExpression('1', scope, 'boolean').ok)
    assert.ok(!compileExpression('tasks.list.outputs.n', scope, 'boolean').ok)
    const compiled = compileExpression('item.name', scope, 'boolean')
    assert.ok(compiled.ok)
    assert.throws(() => compiled.value.evaluate(values), /gives "blue", not a boolean/)
    assert.equal(compiled.value.evaluate({ ...values, item: { name: false } }), false)
  })

  test('list takes lists and what may be one', () => {
    assert.ok(compileExpression("'a b'.split(' ')", scope, 'list').ok)
    assert.ok(compileExpression('[1]', scope, 'list').ok)
    assert.ok(compileExpression('json(tasks.list.outputs.json)', scope, 'list').ok)
    assert.ok(!compileExpression("'a b'", scope, 'list').ok)
    assert.ok(!compileExpression("{'a': 1}", scope, 'list').ok)
    const compiled = compileExpression("json('{}')", scope, 'list')
    assert.ok(compiled.ok)
    assert.throws(() => compiled.value.evaluate(values), /not a list/)
  })
})

describe('the budget', () => {
  const spends = [
    'range(10000).map(a, range(10000))',
    'range(1000).all(a, range(1000).all(b, a + b >= 0))',
    'cel.bind(a, range(10000), a.filter(x, x in a))',
    "range(9000).exists(x, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'.matches('(a*)*b'))",
    "range(200).map(x, 'a').join('x').split('').map(x, range(10000)) == []",
    `[range(1000)]${'.map(x, x + x)'.repeat(12)}`,
    `['a'].map(x, ${"x + 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' + x + x"})${'.map(x, x + x + x + x)'.repeat(14)}`,
    `[[]].map(x, [x, x])${'.map(x, [x, x, x, x])'.repeat(10)}`,
    // An error that || swallows does not give the budget back.
    'range(10000).exists(a, range(10000).exists(b, false)) || true',
  ]
  for (const text of spends) {
    test(`ends ${text.slice(0, 60)}`, () => {
      const compiled = compileExpression(text, scope, 'any')
      assert.ok(compiled.ok, JSON.stringify(compiled))
      assert.throws(() => compiled.value.evaluate(values), /takes more than 500000 steps/)
      assert.throws(() => compiled.value.evaluate(values), /takes more than 500000 steps/)
    })
  }

  test('is enough for ten thousand elements', () => {
    const compiled = compileExpression("range(10000).filter(x, x % 2 == 0).map(x, {'id': x})", scope, 'list')
    assert.ok(compiled.ok)
    assert.equal((compiled.value.evaluate(values) as readonly Json[]).length, 5000)
  })

  test('a text that grows too long is refused before it is made', () => {
    const compiled = compileExpression("range(9999).map(x, 'y').join(run.name)", scope, 'any')
    assert.ok(compiled.ok)
    const run = { ...values.run, name: 'x'.repeat(10_000) }
    assert.throws(() => compiled.value.evaluate({ ...values, run }), /longer than/)
  })

  test('values that are nested too deeply are refused, whoever made them', () => {
    const compiled = compileExpression('json(run.name)', scope, 'any')
    assert.ok(compiled.ok)
    const run = { ...values.run, name: '['.repeat(5000) + ']'.repeat(5000) }
    assert.throws(() => compiled.value.evaluate({ ...values, run }), /nested more than/)
  })
})

test('values that are not their own: nothing of the prototype of a list of values is seen', () => {
  const names: ExpressionScope = {
    ...scope,
    parameters: new Map([['toString', 'string']]),
    tasks: new Map([['constructor', []]]),
  }
  for (const text of ['parameters.toString', 'tasks.constructor.state']) {
    const compiled = compileExpression(text, names, 'any')
    assert.ok(compiled.ok)
    assert.throws(() => compiled.value.evaluate(values), ExpressionError)
  }
})

describe('whatever the text', () => {
  const words = 'tasks parameters build-app state outputs __proto__ constructor has map x 1 1.5 null'.split(
    ' ',
  )
  const signs = '. [ ] ( ) { } " \' \\ // \n ? : || && ! - + , ${{'.split(' ')
  const pieces = [...GIVES.flatMap(([written]) => written.split(/(\W)/)), ...words, ...signs]
  const text = fc.oneof(
    fc.array(fc.constantFrom(...pieces), { maxLength: 25 }).map(parts => parts.join('')),
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc
      .tuple(
        fc.constantFrom(...GIVES.map(([text]) => text)),
        fc.nat(60),
        fc.nat(5),
        fc.constantFrom(...pieces),
      )
      .map(([text, at, cut, put]) => text.slice(0, at) + put + text.slice(at + cut)),
  )

  test('compiling gives an expression or problems inside the text; evaluating a value or an ExpressionError', () => {
    fc.assert(
      fc.property(text, written => {
        const compiled = compileExpression(written, scope, 'any')
        if (!compiled.ok) {
          assert.ok(compiled.problems.length > 0)
          for (const { offset, message } of compiled.problems) {
            assert.ok(
              Number.isInteger(offset) && offset >= 0 && offset <= written.length,
              `${offset}: ${message}`,
            )
          }
          return
        }
        try {
          const value = compiled.value.evaluate(values)
          assert.deepEqual(JSON.parse(JSON.stringify(value)), value)
          assert.deepEqual(compiled.value.evaluate(values), value)
        } catch (error) {
          if (!(error instanceof ExpressionError)) throw error
        }
      }),
      { numRuns: 3_000 },
    )
  })

  test('JSON that goes in comes out the same', () => {
    const compiled = compileExpression('[item, parameters.config]', scope, 'any')
    assert.ok(compiled.ok)
    const json = fc.jsonValue({ maxDepth: 5 }).filter(value => !/-0|e\d/i.test(JSON.stringify(value)))
    fc.assert(
      fc.property(json, json, (item, config) => {
        const plain = JSON.parse(JSON.stringify([item, config])) as readonly [Json, Json]
        const given = { ...values, item: plain[0], parameters: { config: plain[1] } }
        assert.deepEqual(compiled.value.evaluate(given), plain)
      }),
    )
  })
})
