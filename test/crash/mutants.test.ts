/** A mutant whose text is gone proves nothing any more. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { repository } from '../../scripts/crash/lab.ts'
import { mutants } from '../../scripts/crash/mutants.ts'
import { isScenarioName } from '../../scripts/crash/scenarios.ts'

test.each(mutants)('$name fits the sources', ({ file, find, replace, tries }) => {
  expect(readFileSync(join(repository, file), 'utf8').split(find)).toHaveLength(2)
  expect(replace).not.toBe(find)
  expect(tries.filter(({ scenario }) => !isScenarioName(scenario))).toEqual([])
  expect(tries.length).toBeGreaterThan(0)
})

test('at least ten faults are tried, each under a name of its own', () => {
  expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length)
  expect(mutants.filter(({ equivalent }) => equivalent === undefined).length).toBeGreaterThanOrEqual(10)
})
