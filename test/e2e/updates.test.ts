/** The updater against a real git, npm, daemon and receiver, with one cut; at every point: `npm run updates`. */
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Children } from '../../scripts/local-fleet/children.ts'
import { makeBundle, serveBundle } from '../../scripts/updates/bundle.ts'
import { Trial } from '../../scripts/updates/trial.ts'
import { lacks, tryWithout } from '../../scripts/updates/without.ts'

const soon = ['the forge is away', 'the history was rewritten']
const brief = { CIS490_TRIAL_BRIEF: 'yes' }

const dir = mkdtempSync(join(tmpdir(), 'cis490-updates-'))
const children = new Children(dir)
const trial = new Trial(dir)
beforeAll(() => trial.begin(children))
afterAll(async () => {
  await trial[Symbol.asyncDispose]()
  await children.stop()
  rmSync(dir, { recursive: true, force: true })
})

// One host, whose story goes on from test to test: each part of it takes seconds to set up.
describe('a host that updates itself', () => {
  test('without forge, or with a history that was rewritten, it stays as it is, and says why', async () => {
    for (const lack of lacks.filter(({ name }) => soon.includes(name)))
      expect(await tryWithout(trial, lack), lack.name).toEqual([])
  })

  test('cut between the renames, where there is no checkout, it gets its old version back and ships', async () => {
    const old = trial.head()
    const head = trial.publish()
    await trial.update({ cut: 'inside:swap:mv -T "$1" "$checkout"', env: brief })
    expect(existsSync(trial.checkout)).toBe(false)
    await trial.repair()
    expect(trial.faults([old])).toEqual([])
    expect(trial.result()).toMatchObject({ outcome: 'rolled-back', from: old, to: head })
    expect(trial.systemctl('start')).toBe(true)
    await trial.deliver()
  })

  test('its next run updates, here without a registry', async () => {
    const head = trial.head(trial.forge)
    serveBundle(trial, makeBundle(trial, 'bundles'))
    const takeBack = trial.configureMore('[update]\nsource = "bundle"\n')
    expect(await trial.update({ env: brief })).toMatchObject({ code: 0 })
    takeBack()
    expect(trial.faults([head])).toEqual([])
    expect([trial.result()['outcome'], trial.systemctl('is-active')]).toEqual(['updated', true])
  })

  test('a version that cannot even load is not taken: its exit code is that of a doctor with findings', async () => {
    const old = trial.head()
    trial.publish({ broken: ['doctor'] })
    expect((await trial.update({ env: brief })).code).toBe(1)
    expect([trial.result()['outcome'], trial.head()]).toEqual(['refused', old])
  })

  test('the way back needs no commit of a damaged new tree, and takes none for the new one before the swap', async () => {
    const old = trial.head()
    const head = join(trial.checkout, '.git/HEAD')
    trial.publish()
    await trial.update({ cut: 'after:step_swap', env: brief })
    rmSync(head)
    await trial.repair()
    expect([trial.faults([old]), trial.result()['outcome']]).toEqual([[], 'rolled-back'])

    trial.publish()
    await trial.update({ cut: 'after:step_journal', env: brief })
    renameSync(head, `${head}.away`)
    await trial.repair()
    renameSync(`${head}.away`, head)
    expect(trial.faults([old])).toEqual([])
    await trial.repair()
    expect([trial.faults([old]), trial.result()['outcome']]).toEqual([[], 'rolled-back'])
  })

  test('a way back that is cut at its end leaves the daemon running: it starts before the journal goes', async () => {
    const old = trial.head()
    trial.publish({ broken: ['run'] })
    expect((await trial.update({ cut: 'inside:undo:sync "$work"', env: brief })).code).toBe(null)
    await trial.repair()
    expect(trial.faults([old])).toEqual([])
    expect(trial.systemctl('is-active')).toBe(true)
  })

  test('what a refusal tells people to do works in a tree that was swapped', () => {
    const next = trial.publish()
    trial.git(trial.checkout, 'pull', '--quiet', 'origin', 'main')
    expect(trial.head()).toBe(next)
  })
})
