/** The story of the trial, and what has to hold in each part of it. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Machine } from './machine.ts'
import { tryUnits } from './units.ts'

export interface Stage {
  readonly receiver: Machine
  readonly host: Machine
  readonly port: number
  readonly say: (line: string) => void
}

const scripts = '/srv/cis490/scripts'
/** Besides the data, nothing has this name; the clone of the operator is his. */
const leftovers = `find / -xdev -name '*cis490*' ! -path '/srv/cis490*' ! -path '/proc/*' ! -path '/tmp/*' ! -path '/var/log/*'`

export class Trial {
  readonly #stage: Stage
  readonly #install: string
  #well = true

  constructor(stage: Stage) {
    this.#stage = stage
    const options = `--receiver https://receiver.lab:${stage.port} --token-file /srv/token --host lab-07 --recorder-user recorder`
    this.#install = `${scripts}/install-lab-host.sh ${options}`
  }

  /** @returns whether all was as it should be; it ends at the first part that is not */
  async run(): Promise<boolean> {
    const parts = [
      () => this.#refusals(),
      () => this.#receiver(),
      () => this.#token(),
      () => this.#host(),
      () => this.#delivery(),
      () => this.#units(),
      () => this.#again(),
      () => this.#off(),
    ]
    for (const part of parts) if (this.#well) await part()
    this.#stage.say(this.#well ? 'all as it should be' : 'not as it should be')
    return this.#well
  }

  async #refusals(): Promise<void> {
    const { status, lines } = await this.#on('host', `${scripts}/install-lab-host.sh; ${leftovers}`)
    this.#hold('without options it refuses and changes nothing', status === 0 && lines.at(-1)?.includes('token') === true)
  }

  async #receiver(): Promise<void> {
    const { port } = this.#stage
    const { status } = await this.#on('receiver', `${scripts}/install-receiver.sh --name receiver.lab --listen 127.0.0.1:${port}`)
    this.#hold('the receiver is installed and ready', status === 0)
  }

  async #token(): Promise<void> {
    const command = 'runuser -u cis490 -- cis490-receiver token create --host lab-07 --json'
    const { lines } = await this.#stage.receiver.run(command, () => {})
    const token = /[0-9a-f]{8}\.[\w-]{43}\.[0-9a-f]{64}/.exec(lines.join('\n'))?.[0] ?? ''
    if (token === '') for (const line of lines) this.#stage.say(`receiver  ${line}`)
    this.#hold('the receiver gives a token for lab-07', token !== '')
    writeFileSync(join(this.#stage.host.root, 'srv/token'), `${token}\n`, { mode: 0o600 })
  }

  #began = 0

  async #host(): Promise<void> {
    await this.#on('host', 'useradd --create-home recorder')
    this.#began = Date.now()
    const { status, lines } = await this.#on('host', this.#install)
    this.#hold('one command makes the host, and its doctor finds nothing', status === 0)
    rmSync(join(this.#stage.host.root, 'srv/token'))
    const secret = '[0-9a-f]{8}\\.[A-Za-z0-9_-]{43}\\.[0-9a-f]{64}'
    const journal = await this.#stage.host.run(`journalctl --no-pager | grep -cE '${secret}'`, () => {})
    this.#hold(
      'the token is in no line and in no journal',
      journal.lines[0] === '0' && !new RegExp(secret).test(lines.join('\n')),
    )
  }

  async #delivery(): Promise<void> {
    const record = `set -e; umask 022; cd /var/lib/cis490/episodes; mkdir -p run-0001/frames; seq 100000 > run-0001/frames/telemetry.csv
      printf '{"schema_version": "1", "episode_id": "run-0001", "code_version": {"commit": "%s"}}' "$1" > run-0001/meta.json`
    const recorded = await this.#on(
      'host',
      `runuser -u recorder -- bash -c '${record.replaceAll("'", "'\\''")}' record "$(git -c safe.directory=/opt/cis490 -C /opt/cis490 rev-parse HEAD)"`,
    )
    this.#hold('the recorder writes an episode', recorded.status === 0)
    const wait = `for k in $(seq 600); do grep -q run-0001 /var/lib/cis490/agent/receipts.jsonl 2>/dev/null && [ ! -e /var/lib/cis490/episodes/run-0001 ] && exit 0; sleep 0.1; done
      runuser -u cis490 -- cis490-agent status; journalctl -u cis490-orchestrator --no-pager -n 30; ls -laR /var/lib/cis490/episodes; exit 1`
    const { status } = await this.#on('host', wait)
    this.#hold(
      `from a bare root to the first receipt, and the recording gone: ${((Date.now() - this.#began) / 1000).toFixed(1)} s`,
      status === 0,
    )
  }

  async #units(): Promise<void> {
    await tryUnits({ on: (side, command) => this.#on(side, command), hold: (what, held) => this.#hold(what, held) })
  }

  async #again(): Promise<void> {
    for (const [side, command] of [
      ['host', this.#install.replace('--token-file /srv/token ', '')],
      ['host', '/opt/cis490/scripts/install-lab-host.sh'],
      ['receiver', `${scripts}/install-receiver.sh`],
    ] as const) {
      const before = await this.#files(side)
      const { status, lines } = await this.#on(side, command)
      const did = lines.filter((line) => /^(done|failed) /.test(line) && !line.includes('looked at'))
      const after = await this.#files(side)
      const differ = after.filter((line) => !before.includes(line))
      for (const line of differ.slice(0, 10)) this.#stage.say(`${side}  differs: ${line}`)
      this.#hold(
        `again, on the ${side}: nothing is done, nothing changes`,
        status === 0 && did.length === 0 && differ.length === 0,
      )
    }
  }

  /** Mode, owner, size, time and name of what an installation makes. */
  async #files(side: 'host' | 'receiver'): Promise<string[]> {
    const find = `find /etc /usr/local /opt -xdev ! -path '*/.git/*' ! -name .git -printf '%M %u %g %s %T@ %p\\n'`
    return [...(await this.#stage[side].run(find, () => {})).lines]
  }

  async #off(): Promise<void> {
    for (const [side, script] of [
      ['host', 'install-lab-host.sh'],
      ['receiver', 'install-receiver.sh'],
    ] as const) {
      const off = await this.#on(side, `${scripts}/${script} --uninstall`)
      const left = (await this.#stage[side].run(leftovers, () => {})).lines.filter(
        (path) => !/^\/(etc|var\/lib)\/cis490(\/|$)/.test(path) && !path.startsWith('/var/lib/systemd/'),
      )
      for (const path of left) this.#stage.say(`${side}  left: ${path}`)
      this.#hold(`off, on the ${side}: only data is left`, off.status === 0 && left.length === 0)
      const purged = await this.#on(side, `${scripts}/${script} --uninstall --purge`)
      const rest = (await this.#stage[side].run(`${leftovers}; getent passwd cis490`, () => {})).lines.filter(
        (path) => !path.startsWith('/var/lib/systemd/'),
      )
      for (const path of rest) this.#stage.say(`${side}  left: ${path}`)
      this.#hold(`purged, on the ${side}: nothing is left`, purged.status === 0 && rest.length === 0)
    }
  }

  async #on(side: 'host' | 'receiver', command: string) {
    return await this.#stage[side].run(command, (line) => this.#stage.say(`${side}  ${line}`))
  }

  #hold(what: string, held: boolean): void {
    this.#stage.say(`${held ? 'HELD' : 'NOT HELD'}  ${what}`)
    this.#well &&= held
  }
}
