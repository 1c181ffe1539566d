import { expect, test } from 'vitest'
import { capacityReport, capacityText } from '../../bench/capacity/command.ts'
import { measured } from '../../bench/capacity/costs.ts'
import { codeWord, read, tableRows } from './documents.ts'

const page = read('docs/capacity.md')

test('the costs in capacity.md are those of the model', () => {
  const rows = tableRows(page, 'cost').map(([name, value]) => [codeWord(name), Number(value?.replaceAll(',', ''))])
  expect(Object.fromEntries(rows)).toEqual(measured)
})

test('the tables in capacity.md are what the model says', () => {
  expect(page).toContain(`\`\`\`\n${capacityText(capacityReport(measured))}\`\`\``)
})
