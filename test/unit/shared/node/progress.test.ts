import { stripVTControlCharacters } from 'node:util'
import { makeProgress, type ProgressStream } from '@cis490/shared/node/progress.ts'
import { progressLine } from '@cis490/shared/progress-line.ts'
import { describe, expect, test } from 'vitest'

function recording(terminal: { isTTY?: boolean; columns?: number }): ProgressStream & { readonly written: string[] } {
  const written: string[] = []
  return { ...terminal, written, write: (text: string) => written.push(text) }
}

const visible = (text: string) => stripVTControlCharacters(text).replaceAll('\r', '')
const half = { label: 'ep-1', unit: 'bytes' as const, done: 512 * 1024, total: 1024 * 1024, rate: 128 * 1024 }

describe('the bar on a terminal', () => {
  const start = (extra: { columns?: number; env?: NodeJS.ProcessEnv; total?: number } = {}) => {
    const stream = recording({ isTTY: true, columns: extra.columns ?? 80 })
    const clock = { ms: 1000 }
    const total = extra.total ?? 1000 * 1024
    const progress = makeProgress({ label: 'ep-1', total, stream, now: () => clock.ms, env: extra.env ?? {} })
    return { stream, clock, progress }
  }

  test('says percent, amount, rate and the time that is left', () => {
    const { stream, clock, progress } = start()
    progress.update(0)
    clock.ms += 1000
    progress.update(250 * 1024)
    const line = visible(stream.written.at(-1) ?? '')
    expect(line).toContain(' 25 %')
    expect(line).toContain('250.0 KiB/1000.0 KiB')
    expect(line).toContain('250.0 KiB/s')
    expect(line).toContain('3 s left')
  })

  test('is drawn at most ten times a second, and once more at the end', () => {
    const { stream, clock, progress } = start({ total: 1000 })
    for (let done = 0; done <= 1000; done++) {
      clock.ms += 1
      progress.update(done)
    }
    expect(stream.written.length).toBeGreaterThanOrEqual(10)
    expect(stream.written.length).toBeLessThanOrEqual(11)
    expect(visible(stream.written.at(-1) ?? '')).toContain('100 %')
  })

  test('measures a resumed transfer from where it began', () => {
    const { stream, clock, progress } = start()
    progress.update(900 * 1024)
    clock.ms += 1000
    progress.update(910 * 1024)
    expect(visible(stream.written.at(-1) ?? '')).toContain('10.0 KiB/s')
  })

  test('is cleared by the next drawing and by the end, which leaves its text alone on the line', () => {
    const { stream, progress } = start()
    progress.update(1)
    progress.done('stored')
    expect(stream.written.every((text) => text.startsWith('\r\u001b[2K'))).toBe(true)
    expect(stream.written.at(-1)).toBe('\r\u001b[2Kstored\n')
  })

  test('has colour, and none with NO_COLOR', () => {
    const coloured = start()
    const plain = start({ env: { NO_COLOR: '1' } })
    for (const { progress } of [coloured, plain]) progress.update(500 * 1024)
    expect(coloured.stream.written[0]).toContain('\u001b[32m█')
    expect(plain.stream.written[0]?.slice(5)).not.toContain('\u001b')
  })

  test('never fills the last column, however narrow the terminal is', () => {
    for (let columns = 1; columns <= 120; columns++) {
      const { stream, progress } = start({ columns })
      progress.update(500 * 1024)
      expect(visible(stream.written[0] ?? '').length).toBeLessThan(columns)
    }
  })

  test('cannot be moved by control characters in the label', () => {
    const stream = recording({ isTTY: true, columns: 80 })
    makeProgress({ label: 'a\u001b[2J\nb', total: 1, stream, now: () => 0, env: {} }).update(1)
    expect(stream.written[0]).toContain('a[2Jb')
  })
})

describe('where nobody watches', () => {
  const linesOf = (updates: readonly number[], total: number) => {
    const stream = recording({})
    const progress = makeProgress({ label: 'ep-1', total, unit: 'count', stream, now: () => 0, env: {} })
    for (const done of updates) progress.update(done)
    progress.done()
    return stream.written
  }

  test('five plain lines, however many updates', () => {
    const lines = linesOf([...Array(1001).keys()], 1000)
    expect(lines).toEqual([
      'ep-1    0 %  0/1000\n',
      'ep-1   25 %  250/1000\n',
      'ep-1   50 %  500/1000\n',
      'ep-1   75 %  750/1000\n',
      'ep-1  100 %  1000/1000\n',
    ])
  })

  test('a jump to the end is one line', () => {
    expect(linesOf([7], 7)).toEqual(['ep-1  100 %  7/7\n'])
  })

  test('an empty transfer is a finished one', () => {
    expect(linesOf([0], 0)).toEqual(['ep-1  100 %  0/0\n'])
  })

  test('a dumb terminal gets lines too', () => {
    const stream = recording({ isTTY: true, columns: 80 })
    makeProgress({ label: 'x', total: 2, stream, now: () => 0, env: { TERM: 'dumb' } }).update(1)
    expect(stream.written).toEqual(['x   50 %  1 B/2 B\n'])
  })
})

describe('what goes first when the terminal is narrow', () => {
  test('all of it in 100 columns', () => {
    expect(progressLine(half, 100)).toBe(
      `ep-1  ${'█'.repeat(20)}${'░'.repeat(20)}   50 %  512.0 KiB/1.0 MiB  128.0 KiB/s  4 s left`,
    )
  })
  test('the time left, then the rate, then the bar, then the amount', () => {
    const has = (columns: number) => {
      const line = progressLine(half, columns)
      return [/left/, /KiB\/s/, /█/, /512/, /ep-1/, /50 %/].map((part) => part.test(line))
    }
    expect(has(60)).toEqual([false, true, true, true, true, true])
    expect(has(46)).toEqual([false, false, true, true, true, true])
    expect(has(32)).toEqual([false, false, false, true, true, true])
    expect(has(12)).toEqual([false, false, false, false, true, true])
    expect(has(6)).toEqual([false, false, false, false, false, true])
  })
})
