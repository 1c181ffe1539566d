import { problems } from '@cis490/shared/problems.ts'
import { expect, test } from 'vitest'
import { codeWord, codeWords, read, section, tableRows } from './documents.ts'

const refusals = section(read('PROTOCOL.md'), '## Refusals')

test('the refusal table of PROTOCOL.md is the table of the code: every code once, its status, what the agent does', () => {
  const documented = tableRows(refusals, 'code').map((cells) => `${codeWord(cells[0])} ${cells[1]} ${cells[2]}`)
  const coded = Object.entries(problems).map(([code, { status, consequence }]) => `${code} ${status} ${consequence}`)
  expect(documented.toSorted()).toEqual(coded.toSorted())
})

test('each word of the third column is explained once', () => {
  const explained = tableRows(refusals, 'word').map(([word]) => word ?? '')
  const used = new Set(Object.values(problems).map(({ consequence }) => consequence as string))
  expect(explained.toSorted()).toEqual([...used].toSorted())
})

test('OPERATIONS.md has a cure for every code', () => {
  const cures = tableRows(section(read('OPERATIONS.md'), '## Refusals and their cure'), 'code')
  expect(cures.flatMap(([codes]) => codeWords(codes ?? '')).toSorted()).toEqual(Object.keys(problems).toSorted())
  for (const [code, , cure] of cures) expect(cure, `cure of ${code}`).toMatch(/\w{3}/)
})

test('OPERATIONS.md explains every fault for which the agent has no answer', () => {
  const type = /export type FaultCode =([\s\S]*?)\n\n/.exec(read('packages/agent/src/core/answer.ts'))?.[1] ?? ''
  const faults = [...type.matchAll(/'([\w-]+)'/g)].map((match) => match[1] as string)
  expect(faults.length).toBeGreaterThan(5)
  const explained = tableRows(section(read('OPERATIONS.md'), "### Codes of the agent's own"), 'fault').flatMap(([codes]) =>
    codeWords(codes ?? ''),
  )
  // Ended by ourselves: never written down.
  expect(faults.filter((fault) => fault !== 'aborted' && !explained.includes(fault))).toEqual([])
})
