import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fitsType } from './value-type.ts'

const fits: [Parameters<typeof fitsType>[0], readonly string[], readonly string[]][] = [
  ['string', ['', 'x', '1'], []],
  [
    'integer',
    ['0', '-5', '007', '999999999999999'],
    ['', '1.5', ' 1', '+1', '1e3', '0x10', '9999999999999999'],
  ],
  ['number', ['0', '-1.5', '.5', '5.', '1e3', '2E-7'], ['', ' 1', '0x10', 'Infinity', 'NaN', '1e999', '1,5']],
  ['boolean', ['true', 'false'], ['', 'True', 'yes', '1']],
  ['json', ['null', '[1]', '{"a":"b"}', '"x"'], ['', 'x', "{'a':1}", '[1,]']],
]

for (const [type, good, bad] of fits) {
  test(`texts that are of type ${type}, and some that are not`, () => {
    for (const text of good) assert.equal(fitsType(type, text), true, text)
    for (const text of bad) assert.equal(fitsType(type, text), false, text)
  })
}
