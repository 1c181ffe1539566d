/** A bare Debian root of this machine's release, from the mirror that this machine uses; kept as a tar for the next time. */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exit, UserError } from '@cis490/shared/node/cli.ts'

const needed = {
  debootstrap: 'debootstrap',
  'systemd-nspawn': 'systemd-container',
  nsenter: 'util-linux',
  git: 'git',
  tar: 'tar',
}

/** @throws UserError where this machine cannot do it */
export function checkMachine(): void {
  if (process.getuid?.() !== 0) throw new UserError('root is needed: it makes machines of its own', exit.undetermined)
  const missing = Object.entries(needed).filter(([program]) => spawnSync('which', [program]).status !== 0)
  if (missing.length > 0)
    throw new UserError(`install these Debian packages: ${missing.map(([, name]) => name).join(' ')}`, exit.undetermined)
}

/** @returns the tar */
export function bareRoot(cache: string): string {
  const suite = /^VERSION_CODENAME=(\w+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1]
  if (suite === undefined) throw new UserError('/etc/os-release names no release of Debian', exit.undetermined)
  const tar = join(cache, `base-${suite}.tar`)
  if (existsSync(tar)) return tar
  const root = join(cache, `base-${suite}`)
  rmSync(root, { recursive: true, force: true })
  mkdirSync(cache, { recursive: true })
  execFileSync('debootstrap', [suite, root, mirrorOf(suite)], { stdio: ['ignore', 'ignore', 'inherit'] })
  execFileSync('tar', ['-C', root, '-cf', `${tar}.part`, '.'])
  renameSync(`${tar}.part`, tar)
  rmSync(root, { recursive: true })
  return tar
}

/** What this machine's own packages come from. */
function mirrorOf(suite: string): string {
  const files = ['/etc/apt/sources.list', ...list('/etc/apt/sources.list.d')].filter((file) => existsSync(file))
  for (const file of files) {
    const text = readFileSync(file, 'utf8')
    const line = new RegExp(`^deb (?:\\[[^\\]]*\\] )?(\\S+) ${suite} .*\\bmain\\b`, 'm').exec(text)?.[1]
    const stanza = text.split('\n\n').find((part) => new RegExp(`^Suites:.*\\b${suite}\\b(?!-)`, 'm').test(part))
    const found = line ?? /^URIs: (\S+)/m.exec(stanza ?? '')?.[1]
    if (found !== undefined) return found
  }
  throw new UserError(`no source of apt has ${suite}`, exit.undetermined)
}

function list(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []
}

const trusted = '/etc/ssl/certs/ca-certificates.crt'
const certificates = '/etc/ssl/certs/trial.crt'

/** Unpacks it, and gives it this machine's way to packages: apt's proxy, and the certificates that this machine trusts. */
export function unpack(tar: string, root: string): void {
  mkdirSync(root, { recursive: true })
  execFileSync('tar', ['-C', root, '-xpf', tar])
  mkdirSync(join(root, 'etc/ssl/certs'), { recursive: true })
  const cafile = npmSetting('cafile')
  for (const file of [cafile, trusted].filter((path) => existsSync(path)).slice(0, 1))
    writeFileSync(join(root, certificates), readFileSync(file))
  for (const file of list('/etc/apt/apt.conf.d').filter((path) => /proxy/i.test(path)))
    writeFileSync(join(root, file), readFileSync(file))
}

/** npm's settings of this machine, as the environment of a command. */
export function npmEnvironment(): Record<string, string> {
  return { npm_config_registry: npmSetting('registry'), NODE_EXTRA_CA_CERTS: certificates }
}

function npmSetting(key: string): string {
  return execFileSync('npm', ['config', 'get', key], { encoding: 'utf8' }).trim()
}
