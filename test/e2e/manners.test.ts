/** Pause, windows and tombstones with the real programs. */
import { expect, test } from 'vitest'
import { Lab } from '../support/lab.ts'

async function lab(agentToml: string) {
  const made = await Lab.make()
  const url = await made.startReceiver()
  await made.configureAgent(url, agentToml)
  return made
}

test('a pause holds the daemon back, is shown, and its end is seen within seconds', { timeout: 180_000 }, async () => {
  await using bed = await lab('')
  const paused = await bed.agent('pause', '--for', '2h', '--reason', 'calibration run', '--json')
  expect(JSON.parse(paused.stdout)).toMatchObject({ reason: 'paused', until: expect.any(String) })
  await bed.record('ep-1', bed.repo.log()[0])
  await using daemon = bed.startAgent()
  const line = await daemon.line({ event: 'shipping-waits' })
  expect(line).toMatchObject({ reason: 'paused', text: expect.stringContaining('calibration run') })

  const [shown, examined] = await Promise.all([bed.agent('status', '--json'), bed.agent('doctor', '--json')])
  const status = JSON.parse(shown.stdout) as Record<string, unknown>
  expect(status['shipping']).toMatchObject({ reason: 'paused', by: expect.any(String) })
  const doctor = JSON.parse(examined.stdout) as { results: { code: string; outcome: string }[] }
  expect(doctor.results.find((result) => result.code === 'shipping')).toMatchObject({
    outcome: 'warn',
    text: expect.stringContaining('calibration run'),
    remedy: 'sudo cis490-agent resume',
  })
  expect(await bed.index()).toEqual([])

  expect((await bed.agent('resume')).stdout).toBe('resumed\n')
  const resumed = performance.now()
  expect(await daemon.line({ event: 'delivered' })).toMatchObject({ id: 'ep-1' })
  // Far below `rescan`, with room for a busy machine.
  expect(performance.now() - resumed).toBeLessThan(20_000)
})

test('a person who ships is told of the pause and can insist', async () => {
  await using bed = await lab('')
  await bed.record('ep-1', bed.repo.log()[0])
  await bed.agent('pause')
  const held = await bed.agent('ship')
  expect({ code: held.code, stderr: held.stderr }).toEqual({ code: 3, stderr: expect.stringContaining('ship --force') })
  expect(await bed.index()).toEqual([])
  expect((await bed.agent('ship', '--force')).code).toBe(0)
  expect(await bed.index()).toHaveLength(1)
})

test('outside of its window the daemon packs and waits; ship goes all the same and says so', async () => {
  const closed = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'][(new Date().getDay() + 3) % 7]
  await using bed = await lab(`[ship]\nwindows = ["${closed} 01:00..05:00"]\n`)
  await bed.record('ep-1', bed.repo.log()[0])
  {
    await using daemon = bed.startAgent()
    await daemon.line({ event: 'packed' })
    expect(await daemon.line({ event: 'shipping-waits' })).toMatchObject({
      reason: 'outside-window',
      text: expect.stringMatching(new RegExp(`outside its window until ${closed}`)),
    })
    expect(await bed.index()).toEqual([])
  }
  const shipped = await bed.agent('ship')
  expect(shipped.stderr).toContain('ships-all-the-same')
  expect({ code: shipped.code, rows: (await bed.index()).length }).toEqual({ code: 0, rows: 1 })
})

test('what was dropped is listed, and is in the report', async () => {
  await using bed = await Lab.make()
  await bed.configureAgent('https://127.0.0.1:1')
  await bed.record('ep-1', bed.repo.log()[0])
  await bed.agent('scan')
  await bed.agent('outbox', 'drop', 'ep-1', '--reason', 'lens cap')
  const listed = JSON.parse((await bed.agent('outbox', 'tombstones', '--json')).stdout) as unknown
  expect(listed).toMatchObject({ tombstones: [{ id: 'ep-1', reason: 'lens cap' }] })
  const doctor = JSON.parse((await bed.agent('doctor', '--json')).stdout) as { results: { code: string; data: unknown }[] }
  expect(doctor.results.find((result) => result.code === 'outbox')?.data).toMatchObject({
    tombstones: { count: 1, last: [{ id: 'ep-1', reason: 'lens cap' }] },
  })
  expect((await bed.agent('status')).stdout).toMatch(/dropped +1, last ep-1 by .+: lens cap/)
})
