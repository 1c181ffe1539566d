/** An update without a registry: the archive of a commit, from the receiver. */
import { execFileSync } from 'node:child_process'
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { checkout, programs } from '../local-fleet/children.ts'
import type { Trial } from './trial.ts'

/** Makes the archive of the newest version. @returns its path */
export function makeBundle(trial: Trial, folder: string): string {
  const env = { ...process.env, CIS490_CHECKOUT: join(trial.dir, 'author') }
  const out = join(trial.dir, folder)
  return execFileSync('bash', [join(checkout, 'scripts/bundle.sh'), 'HEAD', '--out', out], { env, encoding: 'utf8' }).trim()
}

export function serveBundle(trial: Trial, path: string): void {
  const config = join(trial.dir, 'receiver.toml')
  execFileSync(programs.receiver, ['bundle', 'add', path, '--config', config], { stdio: ['ignore', 'ignore', 'pipe'] })
}

/** What a careless operator might serve. */
function renamed(bundle: string, commit: string): string {
  const path = join(dirname(bundle), `${commit}.tar.zst`)
  copyFileSync(bundle, path)
  const [hash] = readFileSync(`${bundle}.sha256`, 'utf8').split(' ')
  writeFileSync(`${path}.sha256`, `${hash}  ${commit}.tar.zst\n`)
  return path
}

/** The same bytes twice; and a host that asks nobody else updates. @returns findings */
export async function tryBundle(trial: Trial): Promise<string[]> {
  const head = trial.publish()
  const [first, second] = ['bundles', 'bundles-again'].map((folder) => makeBundle(trial, folder)) as [string, string]
  const same = readFileSync(first).equals(readFileSync(second))
  const takeBack = trial.configureMore('[update]\nsource = "bundle"\n')
  const without = await trial.update()
  serveBundle(trial, first)
  const { code, text } = await trial.update()
  const next = trial.publish()
  serveBundle(trial, renamed(first, next))
  const wrong = await trial.update()
  takeBack()
  for (const folder of ['bundles', 'bundles-again']) rmSync(join(trial.dir, folder), { recursive: true })
  return [
    ...(same ? [] : ['two bundles of one commit differ']),
    ...(without.code === 3 && /^failed: bundle: .*404/.test(without.text) ? [] : [`without a bundle: ${without.text}`]),
    ...(code === 0 ? [] : [text]),
    ...(wrong.code === 3 && wrong.text.includes(`bundle: it is of ${head.slice(0, 12)}`)
      ? []
      : [`another commit: ${wrong.text}`]),
    ...trial.faults([head]),
  ]
}
