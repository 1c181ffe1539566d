/** What an update needs is away, or what it finds is not as it should be: the host stays as it is, ships, and says why. */
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import type { Trial } from './trial.ts'

export interface Lack {
  readonly name: string
  readonly outcome: string
  readonly reason: RegExp
  /** @returns takes it back */
  readonly begin: (trial: Trial) => Promise<{ env?: NodeJS.ProcessEnv; end: () => void | Promise<void> }>
}

const nothing = () => undefined

export const lacks: readonly Lack[] = [
  {
    name: 'the forge is away',
    outcome: 'failed',
    reason: /^git fetch: /,
    begin: async (trial) => {
      trial.publish()
      renameSync(trial.forge, `${trial.forge}.away`)
      return { end: () => renameSync(`${trial.forge}.away`, trial.forge) }
    },
  },
  {
    name: 'the registry is away',
    outcome: 'failed',
    reason: /^npm ci: .*; bundle: /,
    begin: async (trial) => {
      trial.publish({ needsRegistry: true })
      return { env: { npm_config_registry: 'http://127.0.0.1:1/', npm_config_fetch_retries: '0' }, end: nothing }
    },
  },
  {
    name: 'the registry dies in the middle of an answer',
    outcome: 'failed',
    reason: /^npm ci: /,
    begin: async (trial) => {
      trial.publish({ needsRegistry: true })
      const server = await dyingServer()
      const { port } = server.address() as { port: number }
      const end = () => new Promise<void>((resolve) => void server.close(() => resolve()))
      return { env: { npm_config_registry: `http://127.0.0.1:${port}/`, npm_config_fetch_retries: '0' }, end }
    },
  },
  {
    name: 'a file of the checkout was changed',
    outcome: 'refused',
    reason: /changed, first version/,
    begin: async (trial) => {
      trial.publish()
      writeFileSync(join(trial.checkout, 'version'), 'mine\n')
      return { end: () => void trial.git(trial.checkout, 'checkout', '--quiet', '--', 'version') }
    },
  },
  {
    name: 'a file that nobody knows lies in the checkout',
    outcome: 'refused',
    reason: /changed, first notes/,
    begin: async (trial) => {
      trial.publish()
      writeFileSync(join(trial.checkout, 'notes'), 'mine\n')
      return { end: () => rmSync(join(trial.checkout, 'notes')) }
    },
  },
  {
    name: 'the history was rewritten',
    outcome: 'refused',
    reason: /^diverged/,
    begin: async (trial) => {
      const author = join(trial.dir, 'author')
      const head = trial.head(author)
      trial.git(author, 'update-ref', '-d', 'HEAD')
      trial.publish()
      return {
        end: () => {
          trial.git(author, 'reset', '--quiet', '--hard', head)
          trial.git(author, 'push', '--quiet', '--force', trial.forge, 'HEAD:main')
        },
      }
    },
  },
  {
    name: 'the commit is not signed',
    outcome: 'refused',
    reason: /^not signed by a key that this host knows/,
    begin: async (trial) => {
      trial.publish()
      return { end: trial.configureMore('[update]\nrequire_signed = true\n') }
    },
  },
  {
    name: 'nobody can tell whether it is the turn of a later wave',
    outcome: 'held',
    reason: /\w+ \w+/,
    begin: async (trial) => {
      trial.publish()
      return { end: trial.configureMore('[update]\nwave = 3\n') }
    },
  },
  {
    name: 'a configuration that the shell script would misread',
    outcome: 'refused',
    reason: /\[update\] is not understood/,
    begin: async (trial) => {
      trial.publish()
      return { end: trial.configureMore('[update]\n"require_signed" = true\n') }
    },
  },
  {
    name: 'the new version does not start',
    outcome: 'rolled-back',
    reason: /does not start/,
    begin: async (trial) => {
      trial.publish({ broken: ['run'] })
      trial.systemctl('start')
      return { end: nothing }
    },
  },
  {
    name: 'what was rolled back is not tried again',
    outcome: 'rolled-back',
    reason: /was tried and is not tried again: .*does not start/,
    begin: async () => ({ end: nothing }),
  },
  {
    name: 'the disk is full',
    outcome: 'failed',
    reason: /^disk full: an update needs \d+ KiB/,
    begin: async (trial) => {
      trial.publish()
      // A file without blocks cannot make room scarce: df tells it.
      trial.stub('df', '#!/bin/sh\necho Avail; echo 12\n')
      return { end: () => rmSync(join(trial.dir, 'bin/df')) }
    },
  },
  {
    name: 'the new code does not take the configuration',
    outcome: 'refused',
    reason: /^doctor of .*: this version cannot doctor/,
    begin: async (trial) => {
      trial.publish({ broken: ['doctor'] })
      return { end: nothing }
    },
  },
]

/** Promises more than it sends. */
async function dyingServer(): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', nothing)
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n{"na'))
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return server
}

/** @returns findings */
export async function tryWithout(trial: Trial, { begin, outcome, reason }: Lack): Promise<string[]> {
  const before = trial.head()
  const { env = {}, end } = await begin(trial)
  const { text } = await trial.update({ env })
  await end()
  const told = trial.result()
  return [
    ...(told['outcome'] === outcome && reason.test(told['reason'] ?? '') ? [] : [`it says: ${text}`]),
    ...trial.faults([before]),
  ]
}
