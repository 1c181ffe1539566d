/** The process that does one job after the other, told on stdin, a JSON line each; it answers on stdout, unbuffered, so that nothing told is lost with it. */
import { writeSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { createInterface } from 'node:readline'
import { messageOf } from '@cis490/shared/node/errno.ts'
import type { Checked, Finding, Place, Told } from './scenario.ts'
import { loadScenario } from './scenarios.ts'
import { type Arming, arm, disarm, watch } from './shim.ts'

export interface Job {
  readonly act: 'prepare' | 'work' | 'restart' | 'check'
  readonly scenario: string
  readonly place: Place
  readonly arming?: Arming | undefined
  readonly checked?: Checked | undefined
}

export type Line =
  | { readonly told: Told }
  | { readonly done: true; readonly findings: readonly Finding[] }
  | { readonly failed: string }

function say(line: Line): void {
  writeSync(1, `${JSON.stringify(line)}\n`)
}

async function act({ act, scenario: name, place, arming, checked }: Job): Promise<readonly Finding[]> {
  const scenario = await loadScenario(name)
  // Most of these processes are killed and could not store what they compiled.
  if (act === 'prepare') flushCompileCache()
  if (arming) watch(arming)
  const begin = () => arming && arm(arming)
  try {
    if (act === 'check' && checked) return await scenario.check(place, checked)
    if (act === 'prepare') await scenario.prepare(place)
    else if (act === 'work') await scenario.work(place, (told) => say({ told }), begin)
    else {
      begin()
      await scenario.restart(place)
    }
    return []
  } finally {
    if (arming) disarm()
  }
}

for await (const line of createInterface(process.stdin)) {
  try {
    say({ done: true, findings: await act(JSON.parse(line) as Job) })
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? ` (${messageOf(error.cause)})` : ''
    say({ failed: `${messageOf(error)}${cause}` })
    if (process.env['CIS490_DEBUG']) process.stderr.write(`${error instanceof Error ? error.stack : ''}\n`)
  }
}
process.exit(0)
