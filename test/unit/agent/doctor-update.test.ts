/** What the doctor and the report say of the updater's last run. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readConfig } from '../../../packages/agent/src/commands/context.ts'
import { examine } from '../../../packages/agent/src/commands/examine.ts'
import { lastUpdate } from '../../../packages/agent/src/doctor/checks/last-update.ts'
import { readLastUpdate } from '../../../packages/agent/src/doctor/last-update.ts'
import { Trial } from '../../../scripts/updates/trial.ts'
import { expectBroken, runOne } from '../../support/broken.ts'
import { scratchDir } from '../../support/scratch.ts'

const hour = 3_600_000

function stateWith(result: object | string): () => ReturnType<typeof readLastUpdate> {
  const state = scratchDir()
  mkdirSync(join(state, 'update'))
  writeFileSync(join(state, 'update/result.json'), typeof result === 'string' ? result : `${JSON.stringify(result)}   \n`)
  return () => readLastUpdate(state)
}

test('an update that the updater refused, because a file of the checkout was changed, is a finding and in the report', async () => {
  const trial = new Trial(scratchDir())
  onTestFinished(() => trial[Symbol.asyncDispose]())
  await trial.begin()
  const config = readConfig(trial.agent)
  const check = lastUpdate(() => readLastUpdate(config.paths.state), Date.now)
  expect((await runOne(check))['last-update']?.outcome).toBe('skip')

  writeFileSync(join(trial.checkout, 'version'), 'by hand\n')
  expect((await trial.update()).code).toBe(1)
  expectBroken(await runOne(check), {
    breaks: 'last-update',
    outcome: 'warn',
    text: /^refused .+ ago: the checkout was changed, first version/,
    remedy: /journalctl -u cis490-autoupdate/,
  })
  const report = await examine(config, [], { report_epoch: 'x', sequence: 1 }, Date.now)
  expect(report['update']).toMatchObject({ outcome: 'refused', from: trial.head() })
})

test('a forge that is away is a finding after a day; what is well, held or not to be read is none', async () => {
  const now = Date.now()
  const row = { at: new Date(now).toISOString(), from: 'a', to: 'b', reason: 'git fetch: no route' }
  const failing = (hours: number) => ({ ...row, outcome: 'failed', failing_since: new Date(now - hours * hour).toISOString() })
  const outcomes = [failing(23), failing(25), { ...row, outcome: 'held' }, { ...row, outcome: 'updated' }, '{half a', { at: 'x' }]
  const told = await Promise.all(outcomes.map((one) => runOne(lastUpdate(stateWith(one), () => now))))
  expect(told.map((one) => one['last-update']?.outcome)).toEqual(['pass', 'warn', 'pass', 'pass', 'skip', 'skip'])
})
