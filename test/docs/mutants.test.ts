import { expect, test } from 'vitest'
import { mutants } from '../../scripts/crash/mutants.ts'
import { codeWord, read, section, tableRows } from './documents.ts'

test('reliability.md lists the mutants of the recipe, all and no others, and which are equivalent', () => {
  const rows = tableRows(section(read('docs/reliability.md'), '## Does the harness see anything?'), 'mutant')
  const documented = rows.map(([name, , found]) => [codeWord(name), found?.startsWith('equivalent') ?? false])
  const existing = mutants.map(({ name, equivalent }) => [name, equivalent !== undefined])
  expect(documented.toSorted()).toEqual(existing.toSorted())
})
