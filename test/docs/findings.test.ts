import { findings } from '@cis490/receiver/core/finding.ts'
import { expect, test } from 'vitest'
import { codeWords, read, section, tableRows } from './documents.ts'

test('OPERATIONS.md has a meaning and a cure for every finding of fsck, and for no others', () => {
  const rows = tableRows(section(read('OPERATIONS.md'), '## Repair'), 'finding')
  expect(rows.flatMap(([kinds]) => codeWords(kinds ?? '')).toSorted()).toEqual(Object.keys(findings).toSorted())
  for (const [kind, meaning, cure] of rows) for (const text of [meaning, cure]) expect(text, kind).toMatch(/\w{3}/)
})
