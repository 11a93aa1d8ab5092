import { test } from 'node:test'
import { openSqliteStore } from '../../../src/stores/sqlite/open.ts'
import { fitsModel } from '../store-model.ts'

test('any interleaving of writes on several runs gives what a plain model in memory gives', () =>
  fitsModel(() => openSqliteStore(':memory:'), 150))
