/** The agent's word on updates, from a real receiver, with and without it. */
import { readFile, writeFile } from 'node:fs/promises'
import { expect, onTestFinished, test } from 'vitest'
import { Lab } from '../support/lab.ts'
import { eventually } from '../support/receiver.ts'

test('update-allowed asks the receiver, keeps what the daemon heard, and knows when it cannot tell', async () => {
  const lab = await Lab.make()
  onTestFinished(() => lab[Symbol.asyncDispose]())
  const head = lab.repo.log()[0] as string
  const directives = lab.path('directives.toml')
  await writeFile(directives, '')
  const url = await lab.startReceiver(`directives_file = "${directives}"\n[update]\nsoak = "0s"\n`)
  await lab.configureAgent(url, '[update]\nwave = 2\n[heartbeat]\nevery = "1s"\n')
  const ask = async (...args: string[]) => {
    const { code, stdout } = await lab.agent('update-allowed', '--json', ...args)
    const told: Record<string, unknown> = { ...JSON.parse(stdout), code }
    return told
  }
  const wrong = lab.agent('update-allowed', '--commit', 'main')
  const [may, other] = await Promise.all([ask('--commit', head), ask('--commit', 'f'.repeat(40))])
  expect(may).toMatchObject({ code: 0, allowed: true, reason: 'no-canaries', wave: 2, commit: head })
  expect(other).toMatchObject({ code: 1, allowed: false, reason: 'other-commit' })
  expect(await wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('--commit main: a commit is 40 or 64') })

  await writeFile(directives, '[[directive]]\nhost = "*"\nhold_update = true\nreason = "exams"\n')
  await using daemon = lab.startAgent()
  // The receiver looks at its directives once a second.
  await eventually(
    () => readFile(lab.path('state', 'heartbeat.json'), 'utf8').catch(() => ''),
    (text) => text.includes('hold-update'),
  )
  daemon.kill('SIGTERM')
  await daemon.ended
  await lab.killReceiver()
  // From what the daemon heard a moment ago: nobody is asked.
  const [held, status] = await Promise.all([ask(), lab.agent('status')])
  expect(held).toMatchObject({ code: 1, allowed: false, reason: 'hold-update', text: 'held by the operator: exams', wave: 2 })
  expect(held['detail']).toBeUndefined()
  expect(status.stdout).toContain('update       wave 2 waits (hold-update): held by the operator: exams')

  await lab.configureAgent(url, '[update]\nwave = 1\n')
  const stands = await lab.agent('update-allowed')
  expect([stands.code, stands.stdout]).toEqual([1, expect.stringMatching(/^held \(hold-update\).*; so it was .* ago, and now: /)])
  await writeFile(lab.path('state', 'heartbeat.json'), '{}')
  expect(await ask()).toMatchObject({ code: 3, allowed: null, reason: 'unknown', detail: expect.stringMatching(/\w{3}/) })
})
