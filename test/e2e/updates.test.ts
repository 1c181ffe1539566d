/** The updater against a real git, npm, daemon and receiver, with some cuts; at every point: `npm run updates`. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Children } from '../../scripts/local-fleet/children.ts'
import { besides, receiverFaults } from '../../scripts/updates/beside.ts'
import { makeBundle, serveBundle } from '../../scripts/updates/bundle.ts'
import { Trial } from '../../scripts/updates/trial.ts'
import { lacks, tryWithout } from '../../scripts/updates/without.ts'
import { testOnTinyDisk, tinyDisk } from '../support/tiny-disk.ts'

const soon = ['the forge is away', 'the history was rewritten']
const beside = ['the new receiver runs and does not answer', 'nobody could judge the receiver']
const brief = { CIS490_TRIAL_BRIEF: 'yes' }

const dir = mkdtempSync(join(tmpdir(), 'cis490-updates-'))
const children = new Children(dir)
const trial = new Trial(dir)
beforeAll(async () => {
  await trial.begin(children)
  await trial.addReceiver()
})
afterAll(async () => {
  await trial[Symbol.asyncDispose]()
  await children.stop()
  rmSync(dir, { recursive: true, force: true })
})

// One host, with a receiver that runs from its checkout too, whose story goes on from test to test: each part of it takes seconds to set up.
/** @returns an archive of libraries alone, of 8 MiB */
function largeBundle(commit: string): string {
  const place = join(dir, 'large')
  mkdirSync(join(place, 'cis490/node_modules/bulk'), { recursive: true })
  writeFileSync(join(place, 'cis490/node_modules/bulk/file'), Buffer.alloc(8 * 1024 * 1024))
  execFileSync('tar', ['--create', '--zstd', '--file', `${commit}.tar.zst`, 'cis490'], { cwd: place })
  writeFileSync(join(place, `${commit}.tar.zst.sha256`), execFileSync('sha256sum', [`${commit}.tar.zst`], { cwd: place }))
  return join(place, `${commit}.tar.zst`)
}

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
    expect(await receiverFaults(trial, true)).toEqual([])
    await trial.deliver()
  })

  test('its next run updates, here without a registry, the receiver too; it waits for an errand of the fleet', async () => {
    const head = trial.head(trial.forge)
    serveBundle(trial, makeBundle(trial, 'bundles'))
    const takeBack = trial.configureMore('[update]\nsource = "bundle"\n')
    writeFileSync(join(dir, 'errand'), '\n\n')
    expect(await trial.update({ env: brief })).toMatchObject({ code: 0 })
    takeBack()
    expect(existsSync(join(dir, 'errand'))).toBe(false)
    expect(readFileSync(join(trial.checkout, 'node_modules/.cis490-commit'), 'utf8')).toBe(`${head}\n`)
    expect([trial.faults([head]), await receiverFaults(trial)]).toEqual([[], []])
    expect([trial.result()['outcome'], trial.systemctl('is-active')]).toEqual(['updated', true])

    // What is left of it without a history is an unpacked bundle.
    renameSync(join(trial.checkout, '.git'), join(dir, 'history'))
    expect((await trial.update({ env: brief })).text).toMatch(/^refused: .* is an unpacked bundle, which does not update itself/)
    renameSync(join(dir, 'history'), join(trial.checkout, '.git'))
    expect(trial.result()).toMatchObject({ from: head, to: head })
  })

  test('a version that cannot even load is not taken: its exit code is that of a doctor with findings', async () => {
    const old = trial.head()
    trial.publish({ broken: ['doctor'] })
    expect((await trial.update({ env: brief })).code).toBe(1)
    expect([trial.result()['outcome'], trial.head()]).toEqual(['refused', old])
  })

  test('a way back that failed was followed by an update, which removed the tree that worked', async () => {
    trial.systemctl('start')
    trial.publish()
    await trial.update({ cut: 'after:step_swap', env: brief })
    // No folder can be renamed.
    trial.stub('mv', '#!/bin/sh\n[ "$1" != -T ] || exit 1\nexec /bin/mv "$@"\n')
    trial.publish()
    expect((await trial.update({ env: brief })).code).toBe(3)
    rmSync(join(dir, 'bin/mv'))
    expect(trial.result()).toMatchObject({
      outcome: 'refused',
      reason: expect.stringMatching(/^the way back failed: .*\/old is/),
    })
    expect([existsSync(`${trial.checkout}.update/old`), trial.systemctl('is-active')]).toEqual([true, true])
  })

  test('the next one needs no commit of a damaged new tree, and takes none for the new one before the swap', async () => {
    const old = trial.head(`${trial.checkout}.update/old`)
    const head = join(trial.checkout, '.git/HEAD')
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

  test('what a person does in the checkout while the new tree is made was taken away with the old one', async () => {
    const old = trial.head()
    trial.publish()
    const npm = join(dir, 'npm')
    writeFileSync(npm, `#!/bin/sh\necho mine > ${trial.checkout}/notes; exec npm "$@"\n`)
    chmodSync(npm, 0o755)
    expect(await trial.update({ env: { ...brief, CIS490_NPM: npm } })).toMatchObject({
      code: 0,
      text: expect.stringMatching(/^held: the checkout was changed, first notes/),
    })
    expect(readFileSync(join(trial.checkout, 'notes'), 'utf8')).toBe('mine\n')
    rmSync(join(trial.checkout, 'notes'))
    expect(trial.faults([old])).toEqual([])
  })

  test('a checkout of which git cannot tell what was changed was taken for unchanged', async () => {
    const index = join(trial.checkout, '.git/index')
    copyFileSync(index, join(dir, 'index'))
    writeFileSync(index, 'no index')
    trial.publish()
    const { code } = await trial.update({ env: brief })
    copyFileSync(join(dir, 'index'), index)
    expect([code, trial.result()['outcome']]).toEqual([1, 'refused'])
    expect(trial.result()['reason']).toMatch(/^git status: fatal: /)
  })

  test('a person who moved on before the swap stood in the way of each later run', async () => {
    const old = trial.head()
    trial.git(trial.checkout, 'commit', '--quiet', '--allow-empty', '-m', 'mine')
    const mine = trial.head()
    mkdirSync(`${trial.checkout}.update`, { recursive: true })
    writeFileSync(`${trial.checkout}.update/journal`, `${old} ${trial.head(trial.forge)} yes\n`)
    expect((await trial.repair()).code).toBe(0)
    expect([trial.head(), existsSync(`${trial.checkout}.update/journal`)]).toEqual([mine, false])
    trial.git(trial.checkout, 'reset', '--quiet', '--hard', old)
  })

  test('a damaged new tree stayed where an exchange was cut, which leaves the old one under the name of the new', async () => {
    const old = trial.head()
    mkdirSync(`${trial.checkout}.update`, { recursive: true })
    execFileSync('cp', ['-a', trial.checkout, `${trial.checkout}.update/new`])
    rmSync(join(trial.checkout, '.git/HEAD'))
    writeFileSync(`${trial.checkout}.update/journal`, `${old} ${'f'.repeat(40)} yes\n`)
    await trial.repair()
    expect([trial.faults([old]), trial.result()['outcome']]).toEqual([[], 'rolled-back'])
  })

  test('a way back that is cut at its end leaves the daemon running: it starts before the journal goes', async () => {
    const old = trial.head()
    trial.publish({ broken: ['run'] })
    expect((await trial.update({ cut: 'inside:undo:sync "$work"', env: brief })).code).toBe(null)
    await trial.repair()
    expect(trial.faults([old])).toEqual([])
    const log = () => readFileSync(join(dir, 'daemon.log'), 'utf8')
    expect([trial.systemctl('is-active'), await receiverFaults(trial, true)], log()).toEqual([true, []])
  })

  test('a receiver beside it that does not tell the new commit is reason to go back; one that tells none, not to begin', async () => {
    for (const lack of besides.filter(({ name }) => beside.includes(name))) {
      expect(await tryWithout(trial, lack), lack.name).toEqual([])
      expect(await receiverFaults(trial, true), lack.name).toEqual([])
    }
  })

  testOnTinyDisk('a disk that fills up while libraries come leaves no half of a tree, and it ships', async () => {
    const old = trial.head()
    const head = trial.publish({ bulk: 8 })
    serveBundle(trial, largeBundle(head))
    const [opt, disk] = [join(dir, 'opt'), tinyDisk(6)]
    execFileSync('cp', ['-a', trial.checkout, disk])
    renameSync(opt, `${opt}.away`)
    symlinkSync(disk, opt)
    for (const [source, said] of [
      ['git', 'npm ci'],
      ['bundle', 'bundle'],
    ]) {
      const takeBack = trial.configureMore(`[update]\nsource = "${source}"\n`)
      expect(await trial.update({ env: brief })).toMatchObject({ code: 3, text: `failed: disk full: ${said} found no room` })
      takeBack()
      expect(trial.result()).toMatchObject({ outcome: 'failed', from: old, to: head, reason: `disk full: ${said} found no room` })
      expect([trial.faults([old]), readdirSync(`${trial.checkout}.update`)]).toEqual([[], ['lock']])
    }
    rmSync(opt)
    renameSync(`${opt}.away`, opt)
    await trial.deliver()
  })

  test('what a refusal tells people to do works in a tree that was swapped', () => {
    const next = trial.publish()
    trial.git(trial.checkout, 'pull', '--quiet', 'origin', 'main')
    expect(trial.head()).toBe(next)
  })
})
