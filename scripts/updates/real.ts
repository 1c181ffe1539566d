/** One update of the whole program: its own history, npm ci and all. */
import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Children, checkout } from '../local-fleet/children.ts'
import { Trial } from './trial.ts'

/** From a commit of this checkout to one after it. The first tree borrows the libraries of this one. */
export async function updateRealTree(dir: string, children: Children): Promise<{ well: boolean; text: string }> {
  mkdirSync(dir, { recursive: true })
  await using trial = new Trial(dir)
  const author = join(dir, 'author')
  trial.git(author, 'fetch', '--quiet', checkout, 'HEAD:refs/heads/present')
  trial.git(author, 'checkout', '--quiet', '-B', 'main', 'present')
  trial.git(author, 'push', '--quiet', trial.forge, 'main')
  trial.git(dir, 'clone', '--quiet', trial.forge, trial.checkout)
  cpSync(join(checkout, 'node_modules'), join(trial.checkout, 'node_modules'), { recursive: true, verbatimSymlinks: true })
  await trial.configure(children)
  const running = trial.systemctl('start')
  trial.git(author, 'commit', '--quiet', '--allow-empty', '-m', 'The next version')
  trial.git(author, 'push', '--quiet', trial.forge, 'main')
  const begun = performance.now()
  const { code, text } = await trial.update()
  const seconds = ((performance.now() - begun) / 1000).toFixed(0)
  const arrived = trial.head() === trial.head(author)
  await trial.deliver(trial.head())
  return { well: running && code === 0 && arrived && trial.systemctl('is-active'), text: `${text}; ${seconds} s, and it ships` }
}
