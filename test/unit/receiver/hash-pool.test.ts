/** Hashes that workers make behind the writer: whatever happens to writer or worker, the hash is that of the bytes, and no foreign file is read. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { type FileHandle, open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { HashPool } from '../../../packages/receiver/src/store/hashing/hash-pool.ts'
import { HashThread } from '../../../packages/receiver/src/store/hashing/hash-thread.ts'
import { RunningHash } from '../../../packages/receiver/src/store/hashing/running-hash.ts'
import { scratchDir } from '../../support/scratch.ts'
import { sha256 } from '../../support/wire.ts'

const mebibyte = 1 << 20
const bytes = randomBytes(5 * mebibyte + 17)
let folder: string
let files = 0

const newFile = (): Promise<FileHandle> => open(join(folder, `file-${files++}`), 'wx+')

beforeEach(() => {
  folder = scratchDir()
})
afterEach(() => vi.restoreAllMocks())

/** Threads that were started while `work` ran, so that a test can end them as a fault would. */
function watchThreads(): HashThread[] {
  const started: HashThread[] = []
  const add = HashThread.prototype.add
  vi.spyOn(HashThread.prototype, 'add').mockImplementation(function (this: HashThread, ...rest) {
    if (!started.includes(this)) started.push(this)
    add.apply(this, rest)
  })
  return started
}

/** Writes the bytes piece by piece, each told to the hash. */
async function write(file: FileHandle, hash: ReturnType<HashPool['running']>, whole: Buffer, piece = mebibyte): Promise<void> {
  for (let at = 0; at < whole.length; at += piece) {
    const part = whole.subarray(at, at + piece)
    await file.write(part, 0, part.length, at)
    hash.grow(at + part.length)
    await hash.room()
  }
}

describe.each([0, 1, 3])('with %i threads', (size) => {
  test('the hash is that of the bytes, for many files at once', async () => {
    await using pool = new HashPool(size, (error) => expect.unreachable(String(error)))
    const one = async (length: number) => {
      await using file = await newFile()
      const hash = pool.running()
      hash.attach(file, 0)
      await write(file, hash, bytes.subarray(0, length))
      expect(await hash.digest(length)).toBe(sha256(bytes.subarray(0, length)))
      await hash.detach()
      hash.forget()
    }
    await Promise.all([0, 1, 4096, mebibyte, mebibyte + 1, 3 * mebibyte - 1, bytes.length].map(one))
  })
})

test('appends, cuts and new writers in any order', async () => {
  await using pool = new HashPool(2, (error) => expect.unreachable(String(error)))
  const step = fc.record({
    to: fc.nat({ max: 3 * mebibyte }),
    keep: fc.boolean(),
    hand: fc.constantFrom('no', 'yes', 'but lose it'),
    leave: fc.boolean(),
    ask: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 10 }), async (steps) => {
      await using file = await newFile()
      const hash = pool.running()
      let end = 0
      hash.attach(file, 0)
      for (const { to: next, keep, hand, leave, ask } of steps) {
        let to = next
        if (to >= end) {
          if (hand !== 'no') {
            // What nobody reads any more may be anything.
            const piece = Buffer.from(new SharedArrayBuffer(to - end))
            bytes.copy(piece, 0, end)
            void hash.hand(piece, end)?.then(() => piece.fill(0))
          }
          if (hand === 'but lose it') {
            to = end
            hash.attach(file, end)
          } else {
            await file.write(bytes, end, to - end, end)
            hash.grow(to)
          }
        } else {
          await hash.detach()
          // What is taken back and written anew are other bytes first.
          await file.write(randomBytes(Math.min(4096, end - to)), 0, undefined, to)
          await file.truncate(to)
          hash.attach(file, to)
        }
        end = to
        if (keep) hash.keep()
        if (leave) {
          await hash.detach()
          hash.attach(file, end)
        }
        if (ask) expect(await hash.digest(end)).toBe(sha256(bytes.subarray(0, end)))
      }
      expect(await hash.digest(end)).toBe(sha256(bytes.subarray(0, end)))
      expect(hash.known(end)).toBe(sha256(bytes.subarray(0, end)))
      await hash.detach()
      hash.forget()
    }),
    { numRuns: 25 },
  )
})

test('who is handed the bytes does not read the file', async () => {
  await using pool = new HashPool(1, (error) => expect.unreachable(String(error)))
  await using file = await newFile()
  const hash = pool.running()
  hash.attach(file, 0)
  const piece = Buffer.from(new SharedArrayBuffer(mebibyte))
  bytes.copy(piece)
  await hash.hand(piece, 0)
  // The file is empty.
  hash.grow(mebibyte)
  expect(await hash.digest(mebibyte)).toBe(sha256(bytes.subarray(0, mebibyte)))
  await hash.detach()
})

test('a thread that ends holds no piece of memory', async () => {
  const threads = watchThreads()
  await using pool = new HashPool(1, () => undefined)
  await using file = await newFile()
  await file.write(bytes)
  const hash = pool.running()
  hash.attach(file, 0)
  const stopped = threads[0]?.stop()
  await hash.hand(Buffer.from(new SharedArrayBuffer(mebibyte)), 0)
  await stopped
  hash.grow(bytes.length)
  expect(await hash.digest(bytes.length)).toBe(sha256(bytes))
  await hash.detach()
})

test('the hash went back to a place behind which other bytes had come', async () => {
  await using pool = new HashPool(1, (error) => expect.unreachable(String(error)))
  await using file = await newFile()
  const hash = pool.running()
  hash.attach(file, 0)
  const hand = async (from: number, part: Buffer) => {
    const piece = Buffer.from(new SharedArrayBuffer(part.length))
    part.copy(piece)
    await hash.hand(piece, from)
  }
  await hand(0, randomBytes(mebibyte))
  hash.keep()
  // The disk took nothing of it, and the client sends something else.
  hash.attach(file, 0)
  await file.write(bytes, 0, 2 * mebibyte, 0)
  await hand(0, bytes.subarray(0, 2 * mebibyte))
  hash.grow(2 * mebibyte)
  await hand(2 * mebibyte, randomBytes(mebibyte))
  hash.attach(file, 2 * mebibyte)
  expect(await hash.digest(2 * mebibyte)).toBe(sha256(bytes.subarray(0, 2 * mebibyte)))
  await hash.detach()
})

test('a hash that went back was taken to be near, and all of a long upload was read before its answer', async () => {
  await using pool = new HashPool(1, (error) => expect.unreachable(String(error)))
  await using file = await newFile()
  const length = 70 * mebibyte
  await file.truncate(length)
  const hash = pool.running()
  hash.attach(file, 0)
  hash.grow(length)
  await hash.digest(length)
  hash.attach(file, length - 1)
  await hash.know(length - 1)
  expect(hash.known(length - 1)).toBeUndefined()
  await hash.detach()
})

test('a thread that missed what it was handed reads it from the file: it is told what is written with the next piece, and with the question', async () => {
  await using pool = new HashPool(1, (error) => expect.unreachable(String(error)))
  await using file = await newFile()
  const length = 70 * mebibyte
  await file.truncate(length)
  const hash = pool.running()
  hash.attach(file, 0)
  const piece = () => Buffer.from(new SharedArrayBuffer(mebibyte))
  void hash.hand(piece(), length - mebibyte)
  hash.grow(length)
  const room = hash.room()
  expect(room).toBeDefined()
  void hash.hand(piece(), length)
  await room
  await file.truncate(length + mebibyte)
  hash.grow(length + mebibyte)
  expect(await hash.digest(length + mebibyte)).toBe(sha256(Buffer.alloc(length + mebibyte)))
  await hash.detach()
})

test('a number that is a new file by now is never read for the old one', async () => {
  await using pool = new HashPool(1, (error) => expect.unreachable(String(error)))
  const wide = pool.running()
  await using other = await newFile()
  await other.write(bytes)
  wide.attach(other, 0)
  wide.grow(bytes.length)
  for (let round = 0; round < 20; round++) {
    const cut = pool.running()
    const file = await newFile()
    await file.write(bytes.subarray(0, 2 * mebibyte))
    cut.attach(file, 0)
    cut.grow(2 * mebibyte)
    await cut.detach()
    cut.forget()
    await file.close()
  }
  const again = pool.running()
  await using file = await newFile()
  again.attach(file, 0)
  await write(file, again, bytes.subarray(5))
  expect(await again.digest(bytes.length - 5)).toBe(sha256(bytes.subarray(5)))
  expect(await wide.digest(bytes.length)).toBe(sha256(bytes))
  await Promise.all([wide.detach(), again.detach()])
})

test('a file may be closed only after its thread has said that it left it', async () => {
  const heard = vi.spyOn(RunningHash.prototype, 'hear')
  await using pool = new HashPool(1, (error) => expect.unreachable(String(error)))
  await using file = await newFile()
  const hash = pool.running()
  hash.attach(file, 0)
  await hash.detach()
  expect(heard.mock.calls.map(([message]) => message.say)).toContain('left')
})

test('who leaves is told so before files that are still long', async () => {
  await using pool = new HashPool(1, (error) => expect.unreachable(String(error)))
  await using long = await newFile()
  const length = 48 * mebibyte
  await long.truncate(length)
  const behind = pool.running()
  behind.attach(long, 0)
  behind.grow(length)
  const done = behind.digest(length).then(() => 'hashed')
  await using short = await newFile()
  const cut = pool.running()
  cut.attach(short, 0)
  expect(await Promise.race([done, cut.detach().then(() => 'left')])).toBe('left')
  expect(await done).toBe('hashed')
  await behind.detach()
})

describe('a thread that ends', () => {
  test('in the middle: another one starts over, and its end is told', async () => {
    const threads = watchThreads()
    let crashes = 0
    await using pool = new HashPool(1, () => void crashes++)
    await using file = await newFile()
    const hash = pool.running()
    hash.attach(file, 0)
    await write(file, hash, bytes.subarray(0, 4 * mebibyte))
    await threads[0]?.stop()
    await file.write(bytes, 4 * mebibyte, bytes.length - 4 * mebibyte, 4 * mebibyte)
    hash.grow(bytes.length)
    expect(await hash.digest(bytes.length)).toBe(sha256(bytes))
    await hash.detach()
    expect([crashes, threads.length]).toEqual([1, 2])
  })

  test('again and again: the file is hashed on the main thread', async () => {
    const threads = watchThreads()
    await using pool = new HashPool(1, () => undefined)
    await using file = await newFile()
    const hash = pool.running()
    hash.attach(file, 0)
    await write(file, hash, bytes)
    const digest = hash.digest(bytes.length)
    await threads[0]?.stop()
    await threads[1]?.stop()
    expect(await digest).toBe(sha256(bytes))
    await hash.detach()
    expect(threads).toHaveLength(2)
  })

  test('between two writers: the next one has the whole hash', async () => {
    const threads = watchThreads()
    await using pool = new HashPool(1, () => undefined)
    await using file = await newFile()
    const hash = pool.running()
    hash.attach(file, 0)
    await write(file, hash, bytes.subarray(0, 2 * mebibyte))
    await hash.detach()
    await threads[0]?.stop()
    hash.attach(file, 2 * mebibyte)
    expect(await hash.digest(2 * mebibyte)).toBe(sha256(bytes.subarray(0, 2 * mebibyte)))
    await hash.detach()
  })

  test('while somebody leaves, or waits for room: nobody waits for ever', async () => {
    const threads = watchThreads()
    await using pool = new HashPool(1, () => undefined)
    await using file = await newFile()
    const length = 65 * mebibyte
    await file.truncate(length)
    const [waiting, leaving] = [pool.running(), pool.running()]
    waiting.attach(file, 0)
    waiting.grow(length)
    const room = waiting.room()
    expect(room).toBeDefined()
    leaving.attach(file, 0)
    const left = leaving.detach()
    await Promise.all([threads[0]?.stop(), room, left])
    await waiting.detach()
  })
})

test('a file that cannot be read, or has less than was written, has no hash', async () => {
  await using pool = new HashPool(1, (error) => expect.unreachable(String(error)))
  const writeOnly = await open(join(folder, 'write-only'), 'w')
  const hash = pool.running()
  hash.attach(writeOnly, 0)
  hash.grow(5)
  await expect(hash.digest(5)).rejects.toMatchObject({ code: 'EBADF' })
  await hash.detach()
  await writeOnly.close()
  await using file = await newFile()
  await file.write('1234')
  hash.attach(file, 5)
  await expect(hash.digest(5)).rejects.toThrow('shorter than what was written')
  await hash.detach()
})

test('small files never start a thread', async () => {
  const threads = watchThreads()
  await using pool = new HashPool(1, () => undefined)
  await using file = await newFile()
  await file.write('small')
  const hash = pool.running(5)
  hash.attach(file, 5)
  expect(await hash.digest(5)).toBe(sha256(Buffer.from('small')))
  await hash.detach()
  expect(threads).toEqual([])
})

test('a pool does not keep the process alive', async () => {
  const module = new URL('../../../packages/receiver/src/store/hashing/hash-pool.ts', import.meta.url).href
  const program = `
    import { HashPool } from '${module}'
    import { open } from 'node:fs/promises'
    const hash = new HashPool(1, () => undefined).running()
    hash.attach(await open('${join(folder, 'some')}'), 0)
    hash.grow(${bytes.length})
    const busy = setInterval(() => undefined, 1000)
    console.log(await hash.digest(${bytes.length}))
    clearInterval(busy)
    await hash.detach()`
  await writeFile(join(folder, 'some'), bytes)
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [said, code] = await Promise.all([child.stdout.toArray(), new Promise((resolve) => void child.on('exit', resolve))])
  expect([Buffer.concat(said).toString(), code]).toEqual([`${sha256(bytes)}\n`, 0])
})
