/** A lab host whose disk is full: what waits is delivered, and with that there is room again. */
import { existsSync, readFileSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { recordEpisode } from '../support/agent-home.ts'
import { Lab } from '../support/lab.ts'
import { fillUp, testOnTinyDisk, tinyDisk } from '../support/tiny-disk.ts'

testOnTinyDisk('on a full disk ship delivers, writes the receipt from the reserve, and frees archive and folder', async () => {
  await using lab = await Lab.make()
  await lab.startReceiver('[ingest]\ninspect = "full"\n')
  const disk = tinyDisk(8)
  const text = readFileSync(lab.agentConfig, 'utf8').replace('reserve = "0"', 'reserve = "512KiB"')
  writeFileSync(lab.agentConfig, text.replaceAll(/"[^"]*\/(episodes|outbox|state)"/g, `"${disk}/$1"`))
  const home = {
    root: disk,
    episodes: join(disk, 'episodes'),
    outbox: join(disk, 'outbox'),
    state: join(disk, 'state'),
    config: '',
  }
  recordEpisode(home, 'ep-1', { data: 'x'.repeat(100_000) }, { code_version: { commit: lab.repo.log()[0] } })
  for (const _ of ['packs', 'has made the reserve']) expect((await lab.agent('scan')).code).toBe(0)
  expect(existsSync(join(home.state, '.reserve'))).toBe(true)
  fillUp(disk)

  const shipped = await lab.agent('ship', '--json')
  expect({ code: shipped.code, ...JSON.parse(shipped.stdout) }).toMatchObject({ code: 0, delivered: 1 })
  expect(shipped.stderr).toContain('reserve-given')
  expect(await lab.index()).toMatchObject([{ id: 'ep-1' }])
  expect(readFileSync(join(home.state, 'receipts.jsonl'), 'utf8')).toContain('"ep-1"')
  expect([existsSync(join(home.outbox, 'ep-1.tar.zst')), existsSync(join(home.episodes, 'ep-1'))]).toEqual([false, false])
  expect(statfsSync(disk).bavail).toBeGreaterThan(0)
})
