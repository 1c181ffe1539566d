/** The updater against a real git, npm, daemon and receiver, with one cut; at every point: `npm run updates`. */
import { existsSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { Children } from '../../scripts/local-fleet/children.ts'
import { makeBundle, serveBundle } from '../../scripts/updates/bundle.ts'
import { Trial } from '../../scripts/updates/trial.ts'
import { lacks, tryWithout } from '../../scripts/updates/without.ts'
import { scratchDir } from '../support/scratch.ts'

const soon = ['the forge is away', 'a file of the checkout was changed', 'the history was rewritten']
const brief = { CIS490_TRIAL_BRIEF: 'yes' }

test('without forge, with changes, without checkout in the middle of the swap: the host ships, and the next run updates', async () => {
  const dir = scratchDir()
  const children = new Children(dir)
  const trial = new Trial(dir)
  onTestFinished(() => trial[Symbol.asyncDispose]())
  onTestFinished(() => children.stop())
  await trial.begin(children)
  for (const lack of lacks.filter(({ name }) => soon.includes(name))) expect(await tryWithout(trial, lack), lack.name).toEqual([])

  const old = trial.head()
  const head = trial.publish()
  await trial.update({ cut: 'inside:swap:5', env: brief })
  expect(existsSync(trial.checkout)).toBe(false)
  await trial.repair()
  expect(trial.faults([old])).toEqual([])
  expect(trial.result()).toMatchObject({ outcome: 'rolled-back', from: old, to: head })

  expect(trial.systemctl('start')).toBe(true)
  await trial.deliver()
  // This time without a registry.
  serveBundle(trial, makeBundle(trial, 'bundles'))
  trial.configureMore('[update]\nsource = "bundle"\n')
  expect(await trial.update({ env: brief })).toMatchObject({ code: 0 })
  expect(trial.faults([head])).toEqual([])
  expect([trial.result()['outcome'], trial.systemctl('is-active')]).toEqual(['updated', true])

  // What a refusal tells people to do works in a tree that was swapped.
  const next = trial.publish()
  trial.git(trial.checkout, 'pull', '--quiet', 'origin', 'main')
  expect(trial.head()).toBe(next)
})
