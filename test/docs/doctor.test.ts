import { AgentConfig } from '@cis490/agent/config.ts'
import { expect, test } from 'vitest'
import { hostChecks } from '../../packages/agent/src/commands/host-checks.ts'
import { breakagesIn, command } from '../support/broken.ts'
import { codeWord, read, repositoryFiles, section, tableRows } from './documents.ts'

test('OPERATIONS.md says of every check of the doctor what it looks at, in their order, and of no others', async () => {
  const config = AgentConfig.parse({ receiver: { url: 'https://receiver.lab:8443' }, doctor: { checks: '/nowhere' } })
  const checks = await hostChecks({ config, configFile: 'lab-host.toml', now: Date.now })
  const rows = tableRows(section(read('OPERATIONS.md'), '## Checks of the doctor'), 'check')
  expect(rows.map(([code]) => codeWord(code))).toEqual(checks.map(({ code }) => code))
  for (const [code, looksAt, notWell] of rows) {
    expect(looksAt, code).toMatch(/\w{3}/)
    // A check that never finds anything is none.
    expect(notWell, code).toMatch(/^(warn|fail): /)
  }
})

test('every outcome that the table names is seen in a test that breaks the thing, with the remedy, and no other', () => {
  const tests = repositoryFiles().filter((file) => /^test\/.*\.test\.ts$/.test(file))
  const broken = new Set(tests.flatMap((file) => breakagesIn(read(file))))
  const told = tableRows(section(read('OPERATIONS.md'), '## Checks of the doctor'), 'check').flatMap(([code, , notWell = '']) =>
    [...notWell.matchAll(/\b(warn|fail): /g)].map(([, outcome]) => `${codeWord(code)} ${outcome}`),
  )
  expect(told.length).toBeGreaterThan(30)
  expect([...broken].toSorted()).toEqual(told.toSorted())
})

test('whatever a check may say that mends it has a command in it', () => {
  const sources = repositoryFiles().filter((file) => /^packages\/agent\/src\/doctor\/.*\.ts$/.test(file))
  const remedies = sources.flatMap((file) =>
    [...read(file).matchAll(/\bremedy:\s*(?:'([^\n]*)'|`([^\n]*)`)/g)].map((found) => found[1] ?? found[2] ?? ''),
  )
  expect(remedies.length).toBeGreaterThan(30)
  expect(remedies.filter((remedy) => !command.test(remedy))).toEqual([])
})
