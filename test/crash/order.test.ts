/** One upload, call by call: nothing is promised before what the promise rests on is on the disk. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type Bench, makeBench } from '../../scripts/crash/bench.ts'
import { type Lane, prepareTemplate } from '../../scripts/crash/lab.ts'
import { loadScenario } from '../../scripts/crash/scenarios.ts'
import type { Operation } from '../../scripts/crash/shim.ts'

let bench: Bench
let operations: Operation[]

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

beforeAll(async () => {
  bench = await makeBench(1)
  const scenario = await loadScenario('single')
  const lane = bench.lanes[0] as Lane
  const place = lane.freshPlace(await prepareTemplate(bench.options, scenario))
  operations = (await lane.record('work', scenario, place)).operations
})
afterAll(() => bench[Symbol.asyncDispose]())

/** Where in the order the one call lies that fits. */
function at(call: string, path: RegExp): number {
  const found = operations.flatMap((one, k) => (one.call === call && path.test(one.second ?? one.path) ? [k] : []))
  expect(
    found,
    `${call} ${path} in\n${operations.map((one) => `${one.call} ${one.path} ${one.second ?? ''}`).join('\n')}`,
  ).toHaveLength(1)
  return found[0] as number
}

const shelf = /\/episodes\/lab-07\/[0-9a-f]{2}$/
const incoming = (suffix: string) => new RegExp(`/incoming/[^/]+\\.${suffix}$`)
const published = (suffix: string) => new RegExp(`/episodes/lab-07/[0-9a-f]{2}/one\\.${suffix}$`)

test('bytes, receipt, names, row, answer: each is durable before the next', () => {
  const linkArchive = at('link', published('tar\\.zst'))
  const linkReceipt = at('link', published('json'))
  const order = [
    linkReceipt,
    linkArchive,
    at('fsync', shelf),
    at('write', /index\.jsonl$/),
    at('fdatasync', /index\.jsonl$/),
    at('reply', /^201$/),
  ]
  expect(order).toEqual(order.toSorted((a, b) => a - b))
  expect(at('fsync', incoming('part'))).toBeLessThan(linkArchive)
  expect(at('fsync', incoming('json'))).toBeLessThan(linkReceipt)
})

test('the folder of the episode is durable in the one above it before the episode has a name there', () => {
  const made = operations.findLastIndex((one) => one.call === 'mkdir' && shelf.test(one.path))
  expect(made).toBeGreaterThan(-1)
  const named = operations.findIndex((one, k) => k > made && one.call === 'fsync' && /\/episodes\/lab-07$/.test(one.path))
  expect(named).toBeGreaterThan(made)
  expect(named).toBeLessThan(at('link', published('tar\\.zst')))
})

test('nothing that has its final name is written to, renamed or taken away', () => {
  const final = /\/episodes\/.*\.(?:tar\.zst|json)$/
  const changing = operations.filter(
    ({ call, path }) => ['write', 'rename', 'unlink', 'ftruncate', 'open'].includes(call) && final.test(path),
  )
  expect(changing).toEqual([])
})
