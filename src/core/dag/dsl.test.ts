import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { DSL_EDGES_MAX, DSL_LENGTH_MAX, type DslDag, parseDsl } from './dsl.ts'

/** Task names with all edges, as `a>b`. */
function graphOf(text: string): string {
  const { tasks, edges } = parsed(text)
  return [...tasks.map(task => task.name), ...edges.map(({ from, to }) => `${from}>${to}`)].join(' ')
}

function parsed(text: string): DslDag {
  const result = parseDsl(text)
  assert.ok(result.ok, `${text}\n${JSON.stringify(result)}`)
  return result.value
}

const abc = 'task a {} task b {} task c {} task d {}'

test('the graph takes arrows, chains, fan-out, fan-in and names alone', () => {
  for (const [graph, edges] of [
    ['a -> b', 'a>b'],
    ['a->b', 'a>b'],
    ['a ->b', 'a>b'],
    ['a-> b', 'a>b'],
    ['a -> b b -> c', 'a>b b>c'],
    ['a -> b -> c -> d', 'a>b b>c c>d'],
    ['a -> { b, c }', 'a>b a>c'],
    ['a -> { b, c, }', 'a>b a>c'],
    ['a->{b,c}->d', 'a>b a>c b>d c>d'],
    ['{ a, b } -> c', 'a>c b>c'],
    ['{ a, b } -> { c, d }', 'a>c a>d b>c b>d'],
    ['{ a } -> { b } -> { c, d }', 'a>b b>c b>d'],
    ['a -> b\n  -> c', 'a>b b>c'],
    ['a ->\n b', 'a>b'],
    ['a', ''],
    ['a b { c, d }', ''],
    ['a -> b, b -> c,', 'a>b b>c'],
    ['a -> b a -> b', 'a>b'],
    ['{ a, a } -> b', 'a>b'],
    ['"a" -> "b"', 'a>b'],
    ['', ''],
    ['a -> b // why\n# because\n b -> c', 'a>b b>c'],
  ] as const) {
    assert.equal(graphOf(`graph { ${graph} } ${abc}`), `a b c d${edges === '' ? '' : ` ${edges}`}`, graph)
  }
})

test('names: dashes, digits and underscores inside; words of the language are names too', () => {
  assert.equal(graphOf('task my-task_2 {} task _x {} graph { my-task_2->_x }'), 'my-task_2 _x my-task_2>_x')
  assert.equal(
    graphOf(
      'task graph {} task task {} task schedule {} task parameters {} graph { graph -> task -> schedule }',
    ),
    'graph task schedule parameters graph>task task>schedule',
  )
  assert.equal(graphOf('task image { image "x" } task a- {} graph { image->a- }'), 'image a- image>a-')
  assert.equal(parsed('parameters { param { default "1" } secret { default "2" } }').parameters.length, 2)
})

test('what upstream reads means the same here', () => {
  const text = `
    schedule "0 */6 * * *"
    parameters {
      first { defaultFromSecret "my-secret" }
      second { default "some value" }
    }
    graph {
      start -> { left, right }
      left -> end
      right -> end
    }
    task start { image "alpine:latest" script """echo "hi \\n" """ parameters ["first", "second"] backoff 5 }
    task left { image "alpine:latest" command ["sh", "-c"] args ["exit 3"] retry [3, 4] }
    task right { image "alpine" image "busybox" }
    task end { image "alpine" script "true" backoff 0 } // the last`
  const { schedule, parameters, tasks, edges } = parsed(text)
  assert.equal(schedule, '0 */6 * * *')
  assert.deepEqual(parameters, [
    { name: 'first', defaultFromSecret: 'my-secret', line: 4, column: 7 },
    { name: 'second', default: 'some value', line: 5, column: 7 },
  ])
  assert.deepEqual(
    edges.map(({ from, to, line, column }) => `${from}>${to}@${line}:${column}`),
    ['start>left@8:18', 'start>right@8:24', 'left>end@9:15', 'right>end@10:16'],
  )
  assert.deepEqual(tasks, [
    {
      name: 'start',
      image: 'alpine:latest',
      script: 'echo "hi \\n" ',
      parameters: ['first', 'second'],
      backoff: 5,
      line: 12,
      column: 10,
    },
    {
      name: 'left',
      image: 'alpine:latest',
      command: ['sh', '-c'],
      args: ['exit 3'],
      retryCodes: [3, 4],
      backoff: 3,
      line: 13,
      column: 10,
    },
    { name: 'right', image: 'busybox', backoff: 3, line: 14, column: 10 },
    { name: 'end', image: 'alpine', script: 'true', backoff: 0, line: 15, column: 10 },
  ])
})

test('an empty text, an empty schedule, a single task', () => {
  const nothing = { schedule: null, parameters: [], tasks: [], edges: [] }
  for (const text of ['', ' \n\t// nothing\n# at all', 'schedule ""', '\ufeff'])
    assert.deepEqual(parsed(text), nothing)
  assert.equal(graphOf('task only { script "true" }'), 'only')
})

test('parameters: the forms of the README as well', () => {
  for (const [text, wanted] of [
    ['parameters { a { default "x" } }', 'a=x'],
    ['parameters { "a" { default "x" } }', 'a=x'],
    ['parameters { param "a" { default "x" } }', 'a=x'],
    ['parameters { param a { default "x" } }', 'a=x'],
    ['param "a" { default "x" }', 'a=x'],
    ['parameters { a { defaultFromSecret "s" } }', 'a@s'],
    ['parameters { param "a" { secret "s" } }', 'a@s'],
    ['parameters { secret "a" }', 'a@a'],
    ['secret "a"', 'a@a'],
    ['parameters { secret "a" { secret "s" } }', 'a@s'],
    ['parameters { a { default 5 } b { default true } c { default "" } }', 'a=5 b=true c='],
    ['parameters { a { default "x", }, }', null],
    ['parameters { }', ''],
  ] as const) {
    const result = parseDsl(text)
    if (wanted === null) {
      assert.ok(!result.ok)
      continue
    }
    assert.ok(result.ok, JSON.stringify(result))
    const shown = result.value.parameters.map(({ name, default: value, defaultFromSecret: secret }) =>
      value === undefined ? `${name}@${secret}` : `${name}=${value}`,
    )
    assert.equal(shown.join(' '), wanted, text)
  }
})

test('texts: escapes, raw blocks, and blocks that may be indented', () => {
  const script = (written: string): string | undefined =>
    parsed(`task a { script ${written} }`).tasks[0]?.script
  for (const [written, wanted] of [
    ['"plain"', 'plain'],
    [String.raw`"a \"b\" \\ \n\t\r"`, 'a "b" \\ \n\t\r'],
    [String.raw`"grep '\d+' $x"`, String.raw`grep '\d+' $x`],
    ['"two\nlines"', 'two\nlines'],
    ['""', ''],
    ['""""""', ''],
    [String.raw`"""raw \n "quotes" """`, String.raw`raw \n "quotes" `],
    ['"""\n#!/bin/sh\necho\n"""', '#!/bin/sh\necho\n'],
    [
      '"""\n    #!/usr/bin/env python3\n    if x:\n      y()\n\n    z()\n    """',
      '#!/usr/bin/env python3\nif x:\n  y()\n\nz()\n',
    ],
    ['"""  \r\n  a\r\n   b\r\n  """', 'a\r\n b\r\n'],
    ['"""\n\ta\n\t"""', 'a\n'],
    ['"""first\n  second"""', 'first\n  second'],
    ['"""\n"""', ''],
    ['"// no comment # here -> {}"', '// no comment # here -> {}'],
  ] as const) {
    assert.equal(script(written), wanted, written)
  }
})

test('tasks take newer fields too', () => {
  const [task] = parsed(`task a {
    when "tasks.b.state == 'failed'", triggerRule allDone, timeout "1m", pendingTimeout "10s",
    allowFailure true, outputs ["x",], env { A "1", B "\${{ attempt }}" } forEach "[1, 2]"
  }`).tasks
  assert.deepEqual(task, {
    name: 'a',
    backoff: 3,
    when: "tasks.b.state == 'failed'",
    triggerRule: 'allDone',
    timeout: '1m',
    pendingTimeout: '10s',
    allowFailure: true,
    outputs: ['x'],
    env: [
      { name: 'A', value: '1' },
      { name: 'B', value: '${{ attempt }}' },
    ],
    forEach: '[1, 2]',
    line: 1,
    column: 6,
  })
})

test('what stands twice counts the last time, and is warned about', () => {
  const result = parseDsl(`schedule "@daily" schedule "@hourly"
parameters { a { default "1" } }
parameters { b { default "1" } }
graph { x -> y }
graph { y -> x }
task x { backoff 1 backoff 2 } task y {}`)
  assert.ok(result.ok, JSON.stringify(result))
  assert.equal(result.value.schedule, '@hourly')
  assert.deepEqual(
    result.value.parameters.map(({ name }) => name),
    ['b'],
  )
  assert.deepEqual(
    result.value.edges.map(({ from, to }) => `${from}>${to}`),
    ['y>x'],
  )
  assert.equal(result.value.tasks[0]?.backoff, 2)
  assert.deepEqual(
    result.warnings.map(({ code, severity, at }) => [code, severity, at?.line, at?.column]),
    [
      ['DSL_REPEATED', 'warning', 1, 19],
      ['DSL_REPEATED', 'warning', 3, 1],
      ['DSL_REPEATED', 'warning', 5, 1],
      ['DSL_REPEATED', 'warning', 6, 20],
    ],
  )
})

/** Text → the problems, as `line:column CODE part of the message`. */
const BROKEN: readonly (readonly [string, readonly string[]])[] = [
  ['tsk a {}', ['1:1 DSL_UNKNOWN_FIELD did you mean task']],
  ['grpah { a -> b } task a {} task b {}', ['1:1 DSL_UNKNOWN_FIELD did you mean graph']],
  ['volumes { a }', ['1:1 DSL_UNKNOWN_FIELD no volumes here']],
  ['schedule daily', ['1:10 DSL_SYNTAX expected the schedule in double quotes, found daily']],
  ['schedule', ['1:9 DSL_SYNTAX found the end']],
  ['"a"', ['1:1 DSL_SYNTAX expected schedule, parameters, graph or task, found "a"']],
  ['}', ['1:1 DSL_SYNTAX found }']],
  ['; task a {}', ['1:1 DSL_SYNTAX ";" means nothing here']],
  ['приве́т!', ['1:1 DSL_SYNTAX "п" means nothing here']],
  [
    'task a { image "x }\ntask b {}',
    ['1:16 DSL_SYNTAX no closing quote', '2:1 DSL_SYNTAX the { on line 1, column 8 has no }'],
  ],
  [
    'task a { script """x }',
    ['1:17 DSL_SYNTAX no """ after it', '1:23 DSL_SYNTAX the { on line 1, column 8 has no }'],
  ],
  ['task', ['1:5 DSL_SYNTAX expected the name of a task, found the end']],
  ['task {}', ['1:6 DSL_SYNTAX expected the name of a task, found {']],
  ['task 1st {}', ['1:6 DSL_SYNTAX expected the name of a task, found 1']],
  ['task "" {}', ['1:6 DSL_SYNTAX expected the name of a task, found ""']],
  ['task a', ['1:7 DSL_SYNTAX expected { after the task a, found the end']],
  ['task a { image "x"', ['1:19 DSL_SYNTAX the { on line 1, column 8 has no }']],
  ['task a { image "x"\ntask b { image "y" }', ['2:1 DSL_SYNTAX the { on line 1, column 8 has no }']],
  ['task a { image "x"\ngraph { a }', ['2:1 DSL_SYNTAX the { on line 1, column 8 has no }']],
  ['task a { imgae "x" }', ['1:10 DSL_UNKNOWN_FIELD did you mean image']],
  [
    'task a { foo [1, [2]] bar { x { y } } image "x" }',
    ['1:10 DSL_UNKNOWN_FIELD foo', '1:23 DSL_UNKNOWN_FIELD bar'],
  ],
  ['task a { image x }', ['1:16 DSL_SYNTAX expected a text, found x']],
  ['task a { image 5 backoff "x" }', ['1:16 DSL_SYNTAX found 5', '1:26 DSL_SYNTAX found "x"']],
  ['task a { command "sh" }', ['1:18 DSL_SYNTAX expected a list, [ … ], found "sh"']],
  ['task a { command [] }', ['1:19 DSL_SYNTAX expected a text in double quotes, found ]']],
  [
    'task a { command [sh] args ["x" "y"] }',
    ['1:19 DSL_SYNTAX found sh', '1:33 DSL_SYNTAX expected , or ], found "y"'],
  ],
  ['task a { args ["x", }', ['1:21 DSL_SYNTAX expected a text in double quotes, found }']],
  ['task a { retry ["1"] }', ['1:17 DSL_SYNTAX expected a whole number, found "1"']],
  ['task a { retry [1 2] }', ['1:19 DSL_SYNTAX expected , or ]']],
  ['task a { backoff 99999999999 }', ['1:18 DSL_SYNTAX expected a whole number']],
  ['task a { backoff -1 }', ['1:18 DSL_SYNTAX "-" means nothing here']],
  ['task a { allowFailure maybe }', ['1:23 DSL_SYNTAX expected true or false, found maybe']],
  ['task a { triggerRule [] }', ['1:22 DSL_SYNTAX expected a word, found [']],
  ['task a { env { A 1 } }', ['1:18 DSL_SYNTAX expected a text, found 1']],
  ['task a { 5 }', ['1:10 DSL_UNKNOWN_FIELD a task has no field 5']],
  ['task a {} task a {}', ['1:16 DSL_DUPLICATE a task called a on line 1']],
  [
    'task a { parameters ["p", "q"] } parameters { q { default "" } }',
    ['1:22 DSL_UNKNOWN_PARAMETER names a parameter p'],
  ],
  [
    'task a { parameters ["regoin"] } param region { default "" }',
    ['1:22 DSL_UNKNOWN_PARAMETER did you mean region'],
  ],
  ['parameters { p { } }', ['1:14 DSL_PARAMETER_DEFAULT no default']],
  ['parameters { p { default "a" defaultFromSecret "b" } }', ['1:14 DSL_PARAMETER_DEFAULT both']],
  ['parameters { p { default "a" } p { default "b" } }', ['1:32 DSL_DUPLICATE a parameter called p']],
  ['parameters { p { defalt "a" } }', ['1:18 DSL_UNKNOWN_FIELD did you mean default']],
  ['parameters { p { default } }', ['1:26 DSL_SYNTAX expected a text after default, found }']],
  ['parameters { p { default x } }', ['1:26 DSL_SYNTAX expected a text after default, found x']],
  ['parameters { p "x" }', ['1:16 DSL_SYNTAX expected { after the parameter p']],
  ['parameters p', ['1:12 DSL_SYNTAX expected { after parameters, found p']],
  ['parameters { p { default "a" }', ['1:31 DSL_SYNTAX the { on line 1, column 12 has no }']],
  ['parameters { 5 { default "a" } }', ['1:14 DSL_SYNTAX expected the name of a parameter, found 5']],
  ['graph a -> b', ['1:7 DSL_SYNTAX expected { after graph, found a']],
  ['graph { a -> b } task a {}', ['1:14 DSL_UNKNOWN_TASK there is no task called b']],
  ['graph { a -> b } task b {}', ['1:9 DSL_UNKNOWN_TASK there is no task called a']],
  ['graph { biuld -> test } task build {} task test {}', ['1:9 DSL_UNKNOWN_TASK did you mean build']],
  ['graph { x } task a {}', ['1:9 DSL_UNKNOWN_TASK x']],
  ['graph { a -> } task a {}', ['1:14 DSL_SYNTAX expected the name of a task or {, found }']],
  ['graph { -> a } task a {}', ['1:9 DSL_SYNTAX found ->']],
  ['graph { a -> -> b } task a {} task b {}', ['1:14 DSL_SYNTAX found ->']],
  ['graph { a -> { } } task a {}', ['1:16 DSL_SYNTAX expected the name of a task, found }']],
  ['graph { a -> { b c } } task a {} task b {} task c {}', ['1:18 DSL_SYNTAX expected , or }, found c']],
  ['graph { a -> { b, , c } } task a {}', ['1:19 DSL_SYNTAX expected the name of a task, found ,']],
  ['graph { a -> { b -> c } } task a {} task b {}', ['1:18 DSL_SYNTAX expected , or }, found ->']],
  ['graph { a > b } task a {} task b {}', ['1:11 DSL_SYNTAX ">" means nothing here']],
  ['graph { a - b } task a {} task b {}', ['1:11 DSL_SYNTAX "-" means nothing here']],
  ['graph { a => b } task a {} task b {}', ['1:11 DSL_SYNTAX "=" means nothing here']],
  [
    'graph {\n  a -> \n  -> b\n  b -> c -> ]\n  c -> x\n}\ntask a {}\ntask b {}\ntask c {}',
    ['3:3 DSL_SYNTAX found ->', '4:13 DSL_SYNTAX found ]', '5:8 DSL_UNKNOWN_TASK x'],
  ],
  [
    'scedule "x"\r\ntask a {\r\n  imag "x"\r\n  retry [x]\r\n}\r\ngraph { a -> b }',
    [
      '1:1 DSL_UNKNOWN_FIELD schedule',
      '3:3 DSL_UNKNOWN_FIELD image',
      '4:10 DSL_SYNTAX found x',
      '6:14 DSL_UNKNOWN_TASK b',
    ],
  ],
  ['graph { 😀 } task a {}', ['1:9 DSL_SYNTAX "😀" means nothing here']],
]

test('every mistake is found at its place, several at once', () => {
  for (const [text, wanted] of BROKEN) {
    const result = parseDsl(text)
    assert.ok(!result.ok, `${text} is accepted`)
    const found = result.problems.map(
      ({ at, code, message }) => `${at?.line}:${at?.column} ${code} ${message}`,
    )
    assert.equal(found.length, wanted.length, `${text}\n${found.join('\n')}`)
    for (const [index, expected] of wanted.entries()) {
      const [place, code, ...words] = expected.split(' ')
      const line = found[index] ?? ''
      assert.ok(
        line.startsWith(`${place} ${code} `) && line.includes(words.join(' ')),
        `${text}\n${found.join('\n')}`,
      )
    }
    for (const { fix, path, at } of result.problems) {
      assert.ok(fix !== '' && path.length === 0 && at?.file === '')
    }
  }
})

describe('limits', () => {
  test('a text that is too long is refused as a whole', () => {
    const result = parseDsl(' '.repeat(DSL_LENGTH_MAX + 1))
    assert.ok(!result.ok)
    assert.equal(result.problems[0]?.code, 'DSL_TOO_LARGE')
  })

  test('groups cannot multiply into more arrows than are allowed', () => {
    const names = Array.from({ length: Math.ceil(Math.sqrt(DSL_EDGES_MAX)) + 1 }, (_, index) => `t${index}`)
    const group = `{ ${names.join(', ')} }`
    const result = parseDsl(
      `graph { ${group} -> ${group} } ${names.map(name => `task ${name} {}`).join(' ')}`,
    )
    assert.ok(!result.ok)
    assert.deepEqual(
      result.problems.map(({ code }) => code),
      ['DSL_TOO_LARGE'],
    )
  })

  test('a thousand mistakes are reported as a hundred', () => {
    const result = parseDsl('task a { image 5 }\n'.repeat(1_000))
    assert.ok(!result.ok)
    assert.equal(result.problems.length, 100)
  })
})

describe('whatever the text', () => {
  const words =
    'schedule parameters graph task param secret default image command retry backoff env a b my-task 12'
  const signs = [
    '{',
    '}',
    '[',
    ']',
    ',',
    '->',
    '-',
    '>',
    '"',
    '"""',
    '\\',
    '//',
    '#',
    '\n',
    '\r\n',
    ' ',
    'é',
    '😀',
    '"x"',
  ]
  const text = fc.oneof(
    fc.array(fc.constantFrom(...words.split(' '), ...signs), { maxLength: 40 }).map(parts => parts.join(' ')),
    fc.array(fc.constantFrom(...words.split(' '), ...signs), { maxLength: 40 }).map(parts => parts.join('')),
    fc.string({ unit: 'binary', maxLength: 80 }),
    fc
      .tuple(
        fc.constantFrom(...BROKEN.map(([broken]) => broken)),
        fc.nat(60),
        fc.nat(4),
        fc.constantFrom(...signs),
      )
      .map(([broken, at, cut, put]) => broken.slice(0, at) + put + broken.slice(at + cut)),
  )

  test('there is a DAG, or there are problems inside the text', () => {
    fc.assert(
      fc.property(text, written => {
        const result = parseDsl(written)
        const lines = written.split('\n')
        for (const { at } of result.ok ? result.warnings : result.problems) {
          const line = lines[(at?.line ?? 0) - 1]
          assert.ok(line !== undefined && at !== undefined && at.column >= 1 && at.column <= line.length + 1)
        }
        assert.ok(result.ok || result.problems.length > 0)
      }),
      { numRuns: 5_000 },
    )
  })
})

describe('printing a DAG and reading it back', () => {
  const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_-]{0,8}$/)
  const value = fc.string({ unit: 'grapheme', maxLength: 20 }).filter(text => !text.includes('\r'))
  const texts = fc.array(value, { minLength: 1, maxLength: 3 })
  const unique = { maxLength: 6, selector: (item: { readonly name: string }) => item.name }
  const optional = { requiredKeys: ['name', 'backoff'] as ('name' | 'backoff')[], noNullPrototype: true }
  const parameter = fc.oneof(
    fc.record({ name, default: value }, { noNullPrototype: true }),
    fc.record({ name, defaultFromSecret: value }, { noNullPrototype: true }),
  )
  const task = fc.record(
    {
      name,
      backoff: fc.nat(9),
      image: value,
      command: texts,
      args: texts,
      script: value,
      retryCodes: fc.array(fc.nat(255), { minLength: 1, maxLength: 3 }),
      env: fc.array(fc.record({ name, value }, { noNullPrototype: true }), { maxLength: 3 }),
      outputs: texts,
      when: value,
      forEach: value,
      triggerRule: name,
      timeout: value,
      pendingTimeout: value,
      allowFailure: fc.boolean(),
    },
    optional,
  )
  const dag = fc
    .record({
      schedule: fc.option(value.filter(text => text !== '')),
      parameters: fc.uniqueArray(parameter, unique),
      tasks: fc.uniqueArray(task, unique),
      pairs: fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 8 }),
    })
    .map(({ pairs, tasks, ...rest }) => {
      const nameAt = (index: number): string => tasks[index % tasks.length]?.name ?? ''
      const edges = tasks.length === 0 ? [] : pairs.map(([from, to]) => `${nameAt(from)} -> ${nameAt(to)}`)
      return { ...rest, tasks, edges: [...new Set(edges)] }
    })
  type Drawn = typeof dag extends fc.Arbitrary<infer Value> ? Value : never

  const quoted = (text: string): string =>
    `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n').replaceAll('\t', '\\t')}"`
  const list = (items: readonly (string | number)[]): string =>
    `[${items.map(item => (typeof item === 'string' ? quoted(item) : item)).join(', ')}]`

  function printedTask({
    name: taskName,
    env,
    triggerRule,
    allowFailure,
    retryCodes,
    ...fields
  }: Drawn['tasks'][number]) {
    const lines = Object.entries(fields).map(
      ([key, field]) =>
        `${key} ${typeof field === 'string' ? quoted(field) : Array.isArray(field) ? list(field) : field}`,
    )
    if (retryCodes !== undefined) lines.push(`retry ${list(retryCodes)}`)
    if (triggerRule !== undefined) lines.push(`triggerRule ${triggerRule}`)
    if (allowFailure !== undefined) lines.push(`allowFailure ${allowFailure}`)
    if (env !== undefined)
      lines.push(`env { ${env.map(entry => `${entry.name} ${quoted(entry.value)}`).join(' ')} }`)
    return `task ${taskName} {\n  ${lines.join('\n  ')}\n}`
  }

  function printed({ schedule, parameters, tasks, edges }: Drawn): string {
    return [
      schedule === null ? '' : `schedule ${quoted(schedule)}`,
      `parameters {`,
      ...parameters.map(({ name: parameterName, ...defaults }) => {
        const [[key, text] = ['', '']] = Object.entries(defaults)
        return `  ${parameterName} { ${key} ${quoted(text)} }`
      }),
      '}',
      `graph { ${edges.join('\n  ')} }`,
      ...tasks.map(printedTask),
    ].join('\n')
  }

  test('gives the same DAG', () => {
    fc.assert(
      fc.property(dag, drawn => {
        const read = parsed(printed(drawn))
        const bare = <T extends { readonly line: number; readonly column: number }>({
          line: _,
          column: __,
          ...rest
        }: T) => rest
        assert.equal(read.schedule, drawn.schedule)
        assert.deepEqual(read.parameters.map(bare), drawn.parameters)
        assert.deepEqual(read.tasks.map(bare), drawn.tasks)
        assert.deepEqual(
          read.edges.map(({ from, to }) => `${from} -> ${to}`),
          drawn.edges,
        )
      }),
      { numRuns: 500 },
    )
  })
})
