import { execFile, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parse } from 'smol-toml'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { AgentConfig } from '../../../packages/agent/src/config.ts'
import { ReceiverConfig } from '../../../packages/receiver/src/config.ts'
import { firstMissing } from '../../../scripts/install/lock-file.ts'
import { ScratchRoot } from '../../support/scratch-root.ts'

const scripts = join(import.meta.dirname, '../../../scripts')
const token = `0123abcd.${'A'.repeat(43)}.${'e'.repeat(64)}`
const installers = ['install-lab-host.sh', 'install-receiver.sh']
const has = (program: string) => spawnSync('which', [program]).status === 0

function installer(script: string, ...args: string[]) {
  return spawnSync(join(scripts, script), args, { encoding: 'utf8' })
}

// It takes seconds: beside the other tests.
const checked = has('shellcheck')
  ? promisify(execFile)('shellcheck', ['-x', '-a', ...installers, 'autoupdate.sh', 'bundle.sh'], { cwd: scripts })
  : undefined
checked?.catch(() => {})

describe.each(installers)('%s', (script) => {
  test.each([
    ['an option that it does not know', ['--fast'], /unknown option --fast; .*--help/],
    ['an option without its value', ['--node'], /--node needs a value/],
    ['an option instead of a value', ['--node', '--dry-run'], /--node needs a value/],
    ['--purge alone', ['--purge'], /--purge belongs to --uninstall/],
  ])('%s is a usage error', (_, args, said) => {
    expect(installer(script, ...args)).toMatchObject({ status: 2, stdout: '', stderr: expect.stringMatching(said) })
  })

  test('every option that it takes is in its help', () => {
    const text = readFileSync(join(scripts, script), 'utf8')
    const taken = new Set(text.slice(text.indexOf('read_options()')).match(/(?<=^ +(?:-h \| )?|\| )--[a-z-]+(?=[) ])/gm))
    const { stdout } = installer(script, '--help')
    expect(taken.size).toBeGreaterThan(6)
    for (const option of taken) if (option !== '--help') expect(stdout).toContain(option)
  })
})

test('two tokens, or two sources of commits, are a usage error', () => {
  expect(installer('install-lab-host.sh', '--token', 'a', '--token-file', 'b')).toMatchObject({ status: 2 })
  expect(installer('install-receiver.sh', '--repo', '/a', '--forgejo-url', 'https://b.lab/c/d')).toMatchObject({ status: 2 })
})

describe('what is installed, held against the lock file', () => {
  const wanted = {
    packages: {
      '': { version: '1.0.0' },
      'packages/agent': { version: '1.0.0' },
      'node_modules/a': { version: '1.2.3' },
      'node_modules/for-tests': { version: '1.0.0', dev: true },
      'node_modules/for-another-machine': { version: '1.0.0', optional: true },
      'node_modules/runtime': { version: '24.0.0', optional: true },
    },
  }
  test.each([
    ['all that this machine needs', { 'node_modules/a': { version: '1.2.3' } }, undefined],
    ['nothing', {}, /a: missing, wanted 1\.2\.3/],
    ['another version', { 'node_modules/a': { version: '1.2.2' } }, /a: 1\.2\.2, wanted/],
    [
      'an older runtime',
      { 'node_modules/a': { version: '1.2.3' }, 'node_modules/runtime': { version: '23.0.0' } },
      /runtime: 23\.0\.0, wanted 24/,
    ],
  ])('%s', (_, packages, said) => {
    const found = firstMissing(wanted, { packages })
    if (said === undefined) expect(found).toBeUndefined()
    else expect(found).toMatch(said)
  })
})

describe('the configuration that is written', () => {
  /** By the step itself: what it calls has to leave its words alone. */
  function written(side: 'lab-host' | 'receiver', options: string): unknown {
    const folder = mkdtempSync(join(tmpdir(), 'cis490-written-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const sourced = ['steps', 'machine', side].map((part) => `. ${scripts}/install/${part}.sh`).join('; ')
    const command = `set -euo pipefail; program=test scratch=${folder}; ${sourced}; ${options}
      config=${folder}/absent; file_make() { cp "$4" ${folder}/written; }; step 'it' config`
    expect(spawnSync('bash', ['-c', command], { encoding: 'utf8' })).toMatchObject({ stderr: '', status: 0 })
    return parse(readFileSync(join(folder, 'written'), 'utf8'))
  }

  test('of a receiver has the names that were asked for, and not the word of a step', () => {
    const from = `listen=0.0.0.0:8443 branch=next repo=''; forge=https://forge.lab/spectral/CIS490.git`
    const config = ReceiverConfig.parse(written('receiver', `names=receiver.lab,192.0.2.7 ${from}; check_source`))
    expect(config).toMatchObject({
      listen: '0.0.0.0:8443',
      ca: { server_names: ['receiver.lab', '192.0.2.7'] },
      version_gate: { forgejo_url: 'https://forge.lab', repo_owner: 'spectral', repo_name: 'CIS490', branch: 'next' },
    })
  })

  test('of a host has its name, its receiver and its certificate where the daemon may write', () => {
    const config = AgentConfig.parse(written('lab-host', `host=lab-07 receiver=https://receiver.lab:8443 episodes=/srv/episodes`))
    expect(config).toMatchObject({
      host: { name: 'lab-07' },
      receiver: { url: 'https://receiver.lab:8443', key_file: '/var/lib/cis490/agent/tls/host.key' },
      paths: { episodes: '/srv/episodes' },
    })
  })
})

test('a launcher finds the pinned runtime where an older npm did not link it', () => {
  const checkout = mkdtempSync(join(tmpdir(), 'cis490-launcher-'))
  onTestFinished(() => rmSync(checkout, { recursive: true }))
  const bin = join(checkout, 'packages/agent/bin')
  const pinned = join(checkout, 'node_modules/node-linux-any/bin')
  for (const folder of [bin, pinned]) mkdirSync(folder, { recursive: true })
  cpSync(join(scripts, '../packages/agent/bin/cis490-agent'), join(bin, 'cis490-agent'))
  const start = (env = {}) =>
    spawnSync(join(bin, 'cis490-agent'), { encoding: 'utf8', env: { PATH: process.env['PATH'], ...env } })
  expect(start()).toMatchObject({ status: 3, stderr: expect.stringContaining('/.bin/node is missing: run npm ci in') })
  writeFileSync(join(pinned, 'node'), '#!/bin/sh\necho pinned\n', { mode: 0o755 })
  expect(start()).toMatchObject({ status: 0, stdout: 'pinned\n' })
  expect(start({ CIS490_NODE: '/nowhere/node' })).toMatchObject({ status: 3, stderr: expect.stringContaining('/nowhere/node') })
})

test('libraries that an older npm has installed, without its link to the runtime, are not installed again', () => {
  const tree = mkdtempSync(join(tmpdir(), 'cis490-libraries-'))
  onTestFinished(() => rmSync(tree, { recursive: true }))
  const pinned = join(tree, 'node_modules/node-linux-any/bin')
  mkdirSync(pinned, { recursive: true })
  for (const file of ['scripts/install/libraries.ts', 'scripts/install/lock-file.ts', 'packages/shared/src'])
    cpSync(join(scripts, '..', file), join(tree, file), { recursive: true })
  for (const file of ['package-lock.json', 'node_modules/.package-lock.json']) writeFileSync(join(tree, file), '{"packages":{}}')
  const known = (own = '') => {
    const sourced = `. ${scripts}/install/machine.sh; . ${scripts}/install/checkout.sh; unprivileged() { "$@"; }`
    return spawnSync('bash', ['-c', `set -euo pipefail; own_node='${own}'; ${sourced}; libraries_in ${tree}`]).status
  }
  expect(known()).not.toBe(0)
  symlinkSync(process.execPath, join(pinned, 'node'))
  expect(known()).toBe(0)
  expect(known('/nowhere/node')).not.toBe(0)
})

test('another commit than that of the bundle that is installed is refused, and how to take it is said', () => {
  const place = mkdtempSync(join(tmpdir(), 'cis490-bundles-'))
  onTestFinished(() => rmSync(place, { recursive: true }))
  const say = (from: string) => {
    const sourced = ['steps', 'machine', 'checkout'].map((part) => `. ${scripts}/install/${part}.sh`).join('; ')
    const command = `set -euo pipefail; program=install-lab-host.sh scratch=${place}; ${sourced}; home=${place}/opt
      source=${place}/${from}; check_checkout; printf '%s\n' "\${problems[@]}"`
    return spawnSync('bash', ['-c', command], { encoding: 'utf8' }).stdout.trim()
  }
  for (const [name, letter] of Object.entries({ opt: 'a', same: 'a', next: 'b' })) {
    for (const folder of ['scripts', 'node_modules']) mkdirSync(join(place, name, folder), { recursive: true })
    writeFileSync(join(place, name, 'scripts/install-lab-host.sh'), '', { mode: 0o755 })
    writeFileSync(join(place, name, 'node_modules/.cis490-commit'), `${letter.repeat(40)}\n`)
  }
  expect(say('same')).toBe('')
  expect(say('next')).toBe(
    `${place}/opt is an unpacked bundle of aaaaaaaaaaaa, this is bbbbbbbbbbbb: stop the units, move ${place}/opt away and run this again`,
  )
})

test('git is asked for where there is a history, and on a receiver', () => {
  const asks = (source: string, side: string) => {
    const sourced = `. ${scripts}/install/machine.sh; . ${scripts}/install/${side}.sh; systemd_runs() { false; }`
    const command = `set -euo pipefail; take_npm=no own_npm=''; ${sourced}; source=${source} home=/nowhere; needed_packages`
    return spawnSync('bash', ['-c', command], { encoding: 'utf8' }).stdout
  }
  expect(['lab-host', 'receiver'].map((side) => asks('/nowhere', side))).toEqual(['', 'git:git\n'])
  expect(asks(join(scripts, '..'), 'lab-host')).toBe('git:git\n')
})

test('what only helps is skipped where apt-get cannot install it, and what is needed is not', () => {
  const install = (needed: string) => {
    const scratch = mkdtempSync(join(tmpdir(), 'cis490-packages-'))
    onTestFinished(() => rmSync(scratch, { recursive: true }))
    const sourced = `program=test scratch=${scratch}; . ${scripts}/install/steps.sh; . ${scripts}/install/machine.sh`
    const machine = `needed_packages() { echo ${needed}; }; helpful_packages() { echo cis490-absent:absent; }; packages_make() { false; }`
    return spawnSync('bash', ['-c', `set -euo pipefail; ${sourced}; ${machine}; install_packages`], { encoding: 'utf8' })
  }
  expect(install('bash:bash')).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^skipped {2}Debian packages absent: apt-get cannot/),
  })
  expect(install('cis490-needed:needed')).toMatchObject({ status: 3, stdout: expect.stringMatching(/^failed /) })
})

/** Runs bash with the installer's functions, and a place of its own as `$scratch`. */
function installerFunctions(command: string) {
  const scratch = mkdtempSync(join(tmpdir(), 'cis490-parts-'))
  onTestFinished(() => rmSync(scratch, { recursive: true }))
  const sourced = ['steps', 'machine', 'checkout'].map((part) => `. ${scripts}/install/${part}.sh`).join('; ')
  const script = `set -euo pipefail; program=install-lab-host.sh scratch=${scratch}; ${sourced}; ${command}`
  return spawnSync('bash', ['-c', script], { encoding: 'utf8' })
}

test('a package that only helps and is not to be had kept those that are needed away', () => {
  const apt = `apt-get() { case "$*" in *absent*) return 100 ;; install*) : > $scratch/there ;; esac; }
    needed_packages() { [ -e $scratch/there ] || echo cis490-needed:needed; }; helpful_packages() { echo cis490-absent:absent; }`
  const { status, stdout } = installerFunctions(`${apt}; install_packages`)
  expect({ status, words: stdout.match(/^\w+/gm) }).toEqual({ status: 0, words: ['done', 'skipped'] })
})

test('a host that updates from bundles alone had nothing to take them with', () => {
  const { status, stdout } = installerFunctions(`systemd_runs() { false; }; config=$scratch/lab-host.toml; helpful_packages
    echo '[update]' > $config; echo 'source = "bundle"' >> $config; helpful_packages`)
  expect({ status, stdout }).toEqual({ status: 0, stdout: 'curl:curl\nzstd:zstd\n' })
})

describe('an installer and an update rename the same checkout', () => {
  const place = 'home=$scratch/opt updater=$scratch/updater; mkdir -p $home.update $updater'

  test('while an update is at work the installer began', () => {
    const { status, stderr } = installerFunctions(
      `${place}; exec 7>>$home.update/lock; flock -n 7; not_beside_update && echo began`,
    )
    expect({ status, stderr }).toMatchObject({ status: 3, stderr: expect.stringContaining('an update is at work') })
  })

  test('while the installer is at work an update began', () => {
    const { stdout } = installerFunctions(
      `${place}; not_beside_update; CIS490_CHECKOUT=$home bash ${scripts}/autoupdate.sh repair 8>&-; echo $?`,
    )
    expect(stdout).toMatch(/^(<6>)?another run is at work\n0\n$/)
  })

  test('an update that was cut short is undone first, and how is said', () => {
    const { stdout } = installerFunctions(
      `${place}; source=$home; touch $home.update/journal; check_checkout; printf '%s\\n' "\${problems[@]}"`,
    )
    expect(stdout).toMatch(/was cut short: .* sudo \S+\/updater\/autoupdate\.sh repair$/m)
  })
})

test('a checkout of which git cannot tell what was changed was removed, and a program of its configuration ran as root', () => {
  const { status, stdout } = installerFunctions(`. ${scripts}/install/remove.sh; user_is() { false; }; chmod 755 $scratch
    git init -q $scratch/forge; git -C $scratch/forge -c user.name=a -c user.email=a@b commit -q --allow-empty -m one
    home=$scratch/opt; git clone -q $scratch/forge $home; install -m 666 /dev/null $scratch/who
    printf '#!/bin/sh\\nid -u >> %s/who\\n' $scratch > $scratch/program; chmod 755 $scratch/program
    git -C $home config core.fsmonitor $scratch/program
    checkout_is_spare && echo spare; cat $scratch/who | sort -u
    git -C $home config --unset core.fsmonitor; echo mine > $home/notes; checkout_is_spare || echo kept
    rm $home/notes; echo none > $home/.git/index; checkout_is_spare || echo kept`)
  const who = process.getuid?.() === 0 ? 65_534 : process.getuid?.()
  expect({ status, stdout }).toEqual({ status: 0, stdout: `spare\n${who}\nkept\nkept\n` })
})

test('a part that the updater no longer has stayed, and each run installed it again', () => {
  const { status, stderr } = installerFunctions(`updater=$scratch/updater files=${join(scripts, '..')}; updater_make; updater_is
    touch $updater/autoupdate/gone.sh; if updater_is; then exit 9; fi; updater_make; updater_is`)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
})

describe.skipIf(!ScratchRoot.possible())('on a machine', () => {
  const host = '/opt/cis490/scripts/install-lab-host.sh'
  const receiver = '/opt/cis490/scripts/install-receiver.sh'
  let root: ScratchRoot
  beforeAll(() => {
    root = new ScratchRoot()
    root.addCheckout('/opt/cis490')
  })
  afterAll(() => root[Symbol.dispose]())

  /** Lines by their first word. */
  function lines(output: string): Record<string, string[]> {
    const words = ['already', 'done', 'would', 'kept', 'skipped', 'failed']
    const found = (word: string) => output.split('\n').filter((line) => line.startsWith(`${word} `))
    return Object.fromEntries(words.map((word) => [word, found(word)]))
  }

  test('it refuses with all reasons at once, and changes nothing', () => {
    const refused = root.run(`${host} --host 'lab 7' --receiver http://receiver.lab --node /bin/true --recorder-user nemo`)
    expect(refused).toMatchObject({ status: 3, stdout: '' })
    for (const said of [
      'refused, nothing was changed:',
      '--host lab 7: a host name is',
      '--receiver http://receiver.lab: an address begins with https://',
      '--node /bin/true: it is no Node >= 24',
      '--recorder-user nemo: there is no such user',
      'the token is missing: cis490-receiver token create --host',
    ])
      expect(refused.stderr).toContain(said)
    expect(root.run(`setpriv --reuid=65534 --regid=65534 --clear-groups ${host}`).stderr).toContain('root is needed: sudo ')
    expect(root.changes('/opt/cis490')).toEqual([])
  })

  test('a receiver is refused where its port is taken, and where its name and repository are not said well', async () => {
    const server = createServer()
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
    })
    const { status, stderr } = root.run(`${receiver} --listen 0.0.0.0:${port} --repo /opt`)
    await new Promise((resolve) => server.close(resolve))
    expect(status).toBe(3)
    expect(stderr).toContain(`port ${port} is taken by another program`)
    expect(stderr).toContain('--name is missing')
    expect(stderr).toContain('--repo /opt: there is no git repository')
    expect(root.changes('/opt/cis490')).toEqual([])
  })

  test('--dry-run says what it would do, does nothing, and does not say the token', () => {
    const { status, stdout, stderr } = root.run(`${host} --receiver https://receiver.lab:8443 --token ${token} --dry-run`)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    for (const what of ['user and group cis490', 'lab-host.toml', 'certificate of this host', 'orchestrator.service', 'doctor'])
      expect(
        lines(stdout)['would']?.some((line) => line.includes(what)),
        what,
      ).toBe(true)
    expect(lines(stdout)['done']).toEqual([])
    expect(stdout).not.toContain('AAAA')
    expect(root.changes('/opt/cis490')).toEqual([])
  })

  test('a host is installed, once: again nothing is done, and its own configuration is kept', () => {
    mkdirSync(root.path('/etc/cis490'), { recursive: true })
    writeFileSync(root.path('/etc/cis490/lab-host.toml'), '[host]\nname = "lab-07"\n[receiver]\nurl = "https://127.0.0.1:1"\n')
    const first = root.run(`useradd recorder && ${host} --recorder-user recorder`)
    // The doctor has the last word: nobody listens there.
    expect(first.stdout).toMatch(/^fail .*nothing answers at 127\.0\.0\.1:1/m)
    expect(first.status).toBe(1)
    expect(lines(first.stdout)['done']?.join('\n')).toContain('cis490-orchestrator.service')
    expect(first.stdout).toMatch(/^skipped {2}start: systemd does not run here/m)
    const made = root.changes('/opt', '/var/cache')
    expect(made).toContain('/etc/systemd/system/multi-user.target.wants/cis490-orchestrator.service')
    expect(made).toContain('/etc/systemd/system/timers.target.wants/cis490-doctor-check.timer')
    expect(made).toContain('/usr/local/share/man/man1/cis490-agent.1')

    const again = root.run(`${host} --recorder-user recorder --receiver https://other.lab`)
    expect(lines(again.stdout)).toMatchObject({
      done: [],
      failed: [],
      kept: [expect.stringContaining('--receiver https://other.lab: /etc/cis490/lab-host.toml says "https://127.0.0.1:1"')],
    })
    expect(root.changes('/opt', '/var/cache')).toEqual(made)
  })

  test('what another user records can be deleted; what somebody broke is mended, and what somebody disabled stays so', () => {
    const as = (user: string, command: string) => `setpriv --reuid=${user} --regid=${user} --init-groups sh -c '${command}'`
    const episodes = '/var/lib/cis490/episodes'
    const unit = '/etc/systemd/system/cis490-orchestrator.service'
    const record = as(
      'recorder',
      `umask 077; mkdir -p ${episodes}/run-1/frames; echo 1 > ${episodes}/run-1/frames/a; echo {} > ${episodes}/run-1/meta.json`,
    )
    const remove = as('cis490', `rm -r ${episodes}/run-1`)
    expect(root.run(`${record} && ${remove} && ls ${episodes}`)).toMatchObject({ status: 0, stdout: '', stderr: '' })

    const broken = root.run(`setfacl -Rbk ${episodes}; ${record}; ${remove}`)
    expect(broken.status).toBe(1)
    const { stdout } = root.run(`echo '#' >> ${unit}; systemctl --root=/ disable -q cis490-doctor-check.timer
      install -D "$(readlink -f /opt/cis490/node_modules/.bin/node)" /usr/local/lib/own/bin/node
      ${host} --recorder-user recorder --node /usr/local/lib/own/bin/node; ${remove} && echo removed`)
    expect(stdout).toMatch(/^removed$/m)
    expect(stdout).toMatch(/^already +cis490-doctor-check.timer \(disabled on this machine: sudo systemctl enable/m)
    expect(lines(stdout)['done']?.join('\n')).toContain('cis490-orchestrator.service')
    expect(readFileSync(root.path(unit), 'utf8')).not.toMatch(/#\n$/)
    expect(readFileSync(root.path(`${unit}.d/10-install.conf`), 'utf8')).toMatch(/^Environment=CIS490_NODE=\/.*\/node$/m)
    expect(readFileSync(root.path('/usr/local/bin/cis490-agent'), 'utf8')).toMatch(/^exec \/opt\/cis490\/packages\/agent\/bin/m)
  })

  test('off: nothing but the data is left, and with --purge nothing', () => {
    const own = (path: string) => path.includes('cis490') && !path.startsWith('/opt')
    expect(root.run(`${host} --uninstall`).status).toBe(0)
    expect(existsSync(root.path('/opt/cis490'))).toBe(false)
    expect(root.changes().filter(own)).toEqual(['/etc/cis490/lab-host.toml'])
    expect(root.run('getent passwd cis490').status).toBe(0)
    const again = root.run(
      `${join(scripts, 'install-lab-host.sh')} --uninstall --purge; getent passwd cis490 || getent group cis490`,
    )
    expect(again.stdout).toMatch(/^done +removed data and configuration/m)
    expect(root.changes().filter(own)).toEqual([])
    expect(again.status).toBe(2)
  })
})

test.skipIf(!checked)('shellcheck finds nothing in installers, updater and what they read', async () => {
  const { stdout } = await (checked as NonNullable<typeof checked>).catch((error: { stdout: string }) => error)
  expect(stdout).toBe('')
})
