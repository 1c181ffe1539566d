import { expect, test } from 'vitest'
import { readCommandLine } from '../../../bench/options.ts'

const read = (line: string) => readCommandLine(line.split(' '), ['large', 'small'])

test('--json alone is stdout; a word after it that names no bench is a file', () => {
  expect(read('--json large')).toMatchObject({ json: '-', names: ['large'] })
  expect(read('large --json')).toMatchObject({ json: '-' })
  expect(read('large --json out.json')).toMatchObject({ json: 'out.json', names: ['large'] })
  expect(read('large --json --quick')).toMatchObject({ json: '-', quick: true })
  expect(read('large').json).toBeUndefined()
})

test('rounds are five, one where it only has to run', () => {
  expect([read('large').rounds, read('large --quick').rounds, read('large --quick --rounds 3').rounds]).toEqual([5, 1, 3])
})

test('sizes, rows and peers are read', () => {
  expect(read('large --size 2GiB --rows 10 --peers tus,nginx')).toMatchObject({
    size: 2 * 2 ** 30,
    rows: 10,
    peers: ['tus', 'nginx'],
  })
})

test.each([
  ['large --rounds 0', '--rounds "0" is no number of 1 and more'],
  ['large --rows many', '--rows "many" is no number of 1 and more'],
  ['large --size big', '--size "big" is no size; write it like 2GiB'],
  ['large --peers tus,naive', '--peers "naive" is no competitor; did you mean "naive node"?'],
  ['large --sizes 1', "Unknown option '--sizes'"],
])('%s is a mistake that is told', (line, message) => {
  expect(() => read(line)).toThrow(message)
})
