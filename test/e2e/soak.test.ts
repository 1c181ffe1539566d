/** The soak in its bounded form: the same programs, faults and checks as in ten minutes. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import type { SoakResult } from '../../scripts/soak/result.ts'
import { scratchDir } from '../support/scratch.ts'

const main = fileURLToPath(new URL('../../scripts/soak/main.ts', import.meta.url))

async function soak(...args: string[]): Promise<{ code: number | null; said: string }> {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: code as number | null, said: out + err }
}

it('seven seconds: nothing that was acknowledged is lost, doubled or changed, however often the receiver dies', async () => {
  const dir = scratchDir()
  const file = join(dir, 'soak.json')
  const options = { minutes: 0.12, kills: 4, agents: 2, clients: 8, seed: 490, json: file, dir }
  const { code, said } = await soak(...Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]))
  expect(code, said).toBe(0)
  const result = JSON.parse(await readFile(file, 'utf8')) as SoakResult
  expect(result).toMatchObject({ seed: 490, violations: [], complaints: [] })
  expect(result.receiver.kills).toBeGreaterThanOrEqual(4)
  expect(result.puts.ok).toBeGreaterThanOrEqual(4)
  expect(result.agents.receipts).toBe(result.agents.recorded)
  expect(said).toContain('--seed 490')
}, 120_000)

it.each([
  [['--minutes', 'many'], '--minutes "many": write a number from 0.01 to 1440'],
  [['cut'], '"cut" is nothing to run'],
  [['--killls', '3'], "Unknown option '--killls'"],
])('%s is a usage error: exit code 2', async (args, message) => {
  const { code, said } = await soak(...args)
  expect([code, said]).toEqual([2, expect.stringContaining(message)])
})
