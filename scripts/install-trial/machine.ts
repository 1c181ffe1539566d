/** A machine of its own with systemd, from a bare Debian root, by systemd-nspawn. It shares this one's network. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Ran {
  readonly status: number
  readonly lines: readonly string[]
}

const bootTries = 120
const plain = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', LC_ALL: 'C.UTF-8' }

export class Machine {
  readonly root: string
  readonly #container: ChildProcess
  readonly #env: Readonly<Record<string, string>>
  #leader = 0

  private constructor(root: string, name: string, env: Readonly<Record<string, string>>) {
    this.root = root
    this.#env = { ...plain, ...env }
    writeFileSync(join(root, 'etc/hostname'), `${name}\n`)
    appendFileSync(join(root, 'etc/hosts'), `127.0.0.1 localhost ${name} receiver.lab\n`)
    const args = ['--quiet', '--register=no', '--keep-unit', '--boot', '--console=read-only', '--resolv-conf=copy-host']
    this.#container = spawn('systemd-nspawn', [...args, `--directory=${root}`, `--machine=${name}`], { stdio: 'ignore' })
  }

  /** @param env of its commands. @returns it when it has started all that it starts */
  static async boot(root: string, name: string, env: Readonly<Record<string, string>>): Promise<Machine> {
    const machine = new Machine(root, name, env)
    for (let k = 0; k < bootTries; k += 1) {
      await sleep(500)
      machine.#leader ||= childOf(machine.#container.pid ?? 0)
      const state =
        machine.#leader === 0 ? '' : await machine.run('systemctl is-system-running', () => {}).then(({ lines }) => lines[0])
      if (state === 'running' || state === 'degraded') return machine
    }
    await machine.stop()
    throw new Error(`${name} did not boot within ${bootTries / 2} s`)
  }

  /** As its root. @param said each line of stdout and stderr, when it comes */
  async run(command: string, said: (line: string) => void): Promise<Ran> {
    const args = ['-t', String(this.#leader), '--all', '--', '/bin/bash', '-c', `exec 2>&1; ${command}`]
    const child = spawn('nsenter', args, { env: this.#env, stdio: ['ignore', 'pipe', 'inherit'] })
    const lines: string[] = []
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(line)
      said(line)
    }
    const status = child.exitCode ?? (await new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? 1))))
    return { status, lines }
  }

  async stop(): Promise<void> {
    if (this.#container.exitCode !== null) return
    const gone = new Promise<void>((resolve) => this.#container.once('exit', () => resolve()))
    // The word for a machine to power itself off; whoever does not hear it is killed.
    if (this.#leader > 0) execFileSync('nsenter', ['-t', String(this.#leader), '--all', '--', 'systemctl', 'poweroff', '--force'])
    const kill = globalThis.setTimeout(() => this.kill(), 15_000)
    await gone
    clearTimeout(kill)
  }

  /** With its process 1 all of it goes; the one that watches over it would leave it running. */
  kill(): void {
    if (this.#container.exitCode !== null) return
    if (this.#leader > 0) process.kill(this.#leader, 'SIGKILL')
    this.#container.kill('SIGKILL')
  }
}

/** The machine's process 1 as this machine sees it; 0 while there is none. */
function childOf(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0] ?? 0)
  } catch {
    return 0
  }
}
