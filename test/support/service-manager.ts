/** A service manager's socket, kept by python: Node has no datagram sockets of the Unix kind. */
import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

const script = `
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print(json.dumps("bound"), flush=True)
while True:
    words = s.recv(65536).decode()
    if words != "BARRIER=1": print(json.dumps(words), flush=True)
`

/** Missing tools leave the tests out by name. */
export const hasServiceManager = ['systemd-notify', 'python3'].every((tool) => {
  try {
    execFileSync(tool, ['--version'])
    return true
  } catch {
    return false
  }
})

export class ManagerSocket implements AsyncDisposable {
  /** Each message, a line a word. */
  readonly heard: string[] = []
  readonly path: string
  readonly #folder: string
  readonly #python: ChildProcessByStdio<null, Readable, null>
  #look: () => void = () => undefined

  private constructor(folder: string) {
    this.#folder = folder
    this.path = join(folder, 'notify')
    this.#python = spawn('python3', ['-S', '-c', script, this.path], { stdio: ['ignore', 'pipe', 'inherit'] })
    createInterface(this.#python.stdout).on('line', (line) => {
      this.heard.push(JSON.parse(line) as string)
      this.#look()
    })
  }

  static async listen(): Promise<ManagerSocket> {
    const made = new ManagerSocket(mkdtempSync(join(tmpdir(), 'cis490-notify-')))
    await made.until((heard) => heard[0] === 'bound')
    made.heard.length = 0
    return made
  }

  /** Asks again with each message. One test waits at a time. */
  async until(find: (heard: string[]) => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#look = () => {
      if (!find(this.heard)) return
      this.#look = () => undefined
      resolve()
    }
    this.#look()
    await promise
  }

  /** @returns the first message with this word among those after the first `from` */
  async message(word: string, from = 0): Promise<string> {
    let found: string | undefined
    await this.until((heard) => {
      found = heard.slice(from).find((words) => words.includes(word))
      return found !== undefined
    })
    return found as string
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = new Promise((resolve) => this.#python.once('close', resolve))
    this.#python.kill('SIGKILL')
    await gone
    rmSync(this.#folder, { recursive: true })
  }
}
