/** An interactive shell at a terminal, in which a line is typed and then completed as a person would. */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type ShellName = 'bash' | 'zsh'

/** Ctrl-T puts every completion into the line. */
const setup: Record<ShellName, string> = {
  bash: `bind 'set enable-bracketed-paste off'
bind '"\\C-t": insert-completions'`,
  zsh: `unsetopt prompt_cr prompt_sp
autoload -Uz compinit && compinit -u -D
zstyle ':completion:*' completer _all_matches _complete
zstyle ':completion:*' insert true
bindkey -e
bindkey '^T' complete-word`,
}

/** Printed when the shell has the terminal in its own mode: what is typed before may be taken by the terminal. */
const prompt = 'typing> '

/** Characters that no echo of the line has. */
const begin = '\u0002'
const end = '\u0003'

/** Prints the words that it was given. */
const took = `took() { printf '\\002'; printf '%s\\0' "$@"; printf '\\003'; }
PS1='${prompt}' HISTFILE=`

export class TypingShell implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #dir = mkdtempSync(join(tmpdir(), 'cis490-shell-'))
  readonly #closed: Promise<unknown>
  #output = ''
  #look: () => void = () => undefined

  private constructor(name: ShellName, cwd: string, lines: string) {
    writeFileSync(join(this.#dir, '.zshrc'), `${lines}\n${setup[name]}\n${took}\ntook ready\n`)
    const shell = name === 'bash' ? `bash --noprofile --rcfile ${this.#dir}/.zshrc -i` : 'zsh -d -i'
    const env = { ...process.env, TERM: 'dumb', ZDOTDIR: this.#dir, INPUTRC: '/dev/null', HOME: this.#dir }
    this.#child = spawn('script', ['-qec', shell, '/dev/null'], { cwd, env })
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#closed = promise
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text
      this.#look()
    })
    this.#child.on('close', () => {
      resolve()
      this.#look()
    })
  }

  static present(name: ShellName): boolean {
    try {
      return execFileSync('script', ['-qec', `${name} -c 'echo here'`, '/dev/null'], { encoding: 'utf8' }).trim() === 'here'
    } catch {
      return false
    }
  }

  /** @param lines of its start file, read first, which bring the completion in */
  static async start(name: ShellName, cwd: string, lines: string): Promise<TypingShell> {
    const shell = new TypingShell(name, cwd, lines)
    await shell.#taken()
    return shell
  }

  /** @returns every word of the line after it was typed and all its completions were put in */
  async complete(line: string): Promise<string[]> {
    // Ctrl-A: to the begin of the line.
    this.#child.stdin.write(`${line}\x14\x01took \r`)
    return await this.#taken()
  }

  async #taken(): Promise<string[]> {
    const { promise, resolve, reject } = Promise.withResolvers<string[]>()
    const guard = setTimeout(() => reject(new Error(`no answer of the shell: ${JSON.stringify(this.#output)}`)), 15_000)
    this.#look = () => {
      const [words, after] = this.#output.split(begin)[1]?.split(end) ?? []
      if (words !== undefined && after?.includes(prompt)) {
        clearTimeout(guard)
        this.#output = ''
        resolve(words.split('\0').slice(0, -1))
      } else if (this.#child.exitCode !== null) reject(new Error(`the shell ended: ${this.#output}`))
    }
    this.#look()
    return await promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end('\x03exit\r')
    await this.#closed
    rmSync(this.#dir, { recursive: true, force: true })
  }
}
