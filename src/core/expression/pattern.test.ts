import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ValueError } from './meter.ts'
import { matchesPattern, patternFault } from './pattern.ts'

const free = (): void => {}
const matches = (pattern: string, text: string): boolean => matchesPattern(pattern, text, free)

test('a pattern matches anywhere unless it is anchored', () => {
  for (const [pattern, text, wanted] of [
    ['b', 'abc', true],
    ['^b', 'abc', false],
    ['^abc$', 'abc', true],
    ['^abc$', 'abcd', false],
    ['', '', true],
    ['^$', '', true],
    ['a|b|', 'x', true],
    ['^(?:a|bc)+$', 'abcbca', true],
    ['^a{2,3}$', 'aaaa', false],
    ['^a{2,}$', 'aaaa', true],
    ['^a{2}$', 'aa', true],
    ['^a+?b*?c??$', 'aabb', true],
    ['^[a-c_-]+$', 'a-b_c', true],
    ['^[^a-c]+$', 'xyz', true],
    ['^[]a]+$', 'a]', true],
    [String.raw`^\d+\.\d+$`, '1.25', true],
    [String.raw`^\w+\s\W$`, 'ab_1 !', true],
    [String.raw`^[\d\-x]+$`, '1-x', true],
    [String.raw`^[\D]$`, '1', false],
    [String.raw`\bend\b`, 'the end.', true],
    [String.raw`\bend\b`, 'bending', false],
    [String.raw`d\B`, 'bending', true],
    [String.raw`^\x41\x{1F600}$`, 'A😀', true],
    [String.raw`^\t\n$`, '\t\n', true],
    ['^.$', '😀', true],
    ['^.$', '\n', false],
    ['(?s)^.$', '\n', true],
    ['(?i)^HELLO [a-z]+$', 'hello WORLD', true],
    ['^[[:alpha:]]+[[:digit:]]$', 'abc1', true],
    ['^(?P<year>[0-9]{4})-(?<month>[0-9]{2})$', '2026-03', true],
    ['a{', 'a{', true],
    [String.raw`\Aab\z`, 'ab', true],
    ['((){1000}){1000}a', 'a', true],
  ] as const) {
    assert.equal(matches(pattern, text), wanted, `${pattern} on ${JSON.stringify(text)}`)
  }
})

test('what RE2 refuses is refused, with the place', () => {
  for (const [pattern, message] of [
    ['(', 'a ( without its ) at character 1'],
    ['a)', 'a ) without its ( at character 2'],
    ['[a', 'a [ without its ] at character 1'],
    ['*a', 'nothing before *'],
    ['a**', 'a repetition of a repetition'],
    ['a{3,2}', 'a bad count {3,2}'],
    ['a{1001}', 'a bad count {1001}'],
    ['[b-a]', 'a range that ends before it begins'],
    ['(?=a)', 'not supported'],
    ['(?<!a)', 'not supported'],
    [String.raw`(a)\1`, String.raw`an unsupported escape \1`],
    [String.raw`\p{L}`, String.raw`an unsupported escape \p`],
    ['a\\', 'a \\ at the end'],
    ['[[:nope:]]', 'an unknown class'],
    ['(a{1000}){1000}', 'too large'],
    ['('.repeat(31) + ')'.repeat(31), 'nested more than 30 deep'],
    ['a'.repeat(501), 'longer than 500'],
  ] as const) {
    assert.ok(patternFault(pattern)?.includes(message), `${pattern}: ${patternFault(pattern)}`)
    assert.throws(() => matches(pattern, ''), ValueError)
  }
  assert.equal(patternFault('^a+$'), null)
})

test('patterns that stall a backtracking engine cost length times length', () => {
  for (const pattern of [
    '^(a+)+$',
    '^(a|a)*$',
    '^(a|aa)+$',
    '(.*a){12}b',
    '^(([a-z])+.)+[A-Z]([a-z])+$',
    'a*a*a*a*b',
  ]) {
    let steps = 0
    assert.equal(
      matchesPattern(pattern, `${'a'.repeat(5_000)}!`, cost => {
        steps += cost
      }),
      false,
    )
    assert.ok(steps < 500_000, `${pattern} took ${steps} steps`)
  }
})

test('agrees with RegExp on random patterns and texts', () => {
  const atom = fc.constantFrom('a', 'b', 'c', '.', '[ab]', '[^a]', String.raw`\w`, String.raw`\b`, '^', '$')
  const { pattern } = fc.letrec<{ pattern: string }>(tie => ({
    pattern: fc.oneof(
      { maxDepth: 4 },
      atom,
      fc.tuple(tie('pattern'), tie('pattern')).map(([one, other]) => one + other),
      fc.tuple(tie('pattern'), tie('pattern')).map(([one, other]) => `(?:${one}|${other})`),
      fc
        .tuple(tie('pattern'), fc.constantFrom('*', '+', '?', '{2}', '{1,2}', '{0,}', '*?'))
        .map(([one, count]) => `(?:${one})${count}`),
    ),
  }))
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', ' ', 'é'), maxLength: 8 })
  fc.assert(
    fc.property(pattern, text, (written, given) => {
      assert.equal(matches(written, given), new RegExp(written, 'u').test(given), `${written} on ${given}`)
    }),
    { numRuns: 3_000 },
  )
})

test('no text is a pattern that does anything but match or be refused', () => {
  const letters = fc.constantFrom(...'ab()[]{}|*+?\\^$.-:<>P=!,0129dwsbx'.split(''))
  fc.assert(
    fc.property(
      fc.string({ unit: letters, maxLength: 20 }),
      fc.string({ maxLength: 20 }),
      (pattern, text) => {
        if (patternFault(pattern) === null) assert.equal(typeof matches(pattern, text), 'boolean')
      },
    ),
    { numRuns: 3_000 },
  )
})
