/** Pieces that the disk takes as they are: never more than there may be, each with one holder, first come first served. */
import { afterEach, expect, test, vi } from 'vitest'
import { PieceMemory, pieceBytes } from '../../../packages/receiver/src/store/hashing/piece-memory.ts'

test('pieces are made while there may be more, and used again', async () => {
  const memory = new PieceMemory(2)
  const [one, two] = await Promise.all([memory.take(), memory.take()])
  expect([one.length, two.length, one.buffer === two.buffer]).toEqual([pieceBytes, pieceBytes, false])
  expect(one.buffer).toBeInstanceOf(SharedArrayBuffer)
  memory.give(one)
  expect(await memory.take()).toBe(one)
})

test('whoever waits first gets the next one', async () => {
  const memory = new PieceMemory(1)
  const piece = await memory.take()
  const order: string[] = []
  const waiting = ['first', 'second'].map(async (name) => {
    const mine = await memory.take()
    order.push(name)
    memory.give(mine)
  })
  expect(order).toEqual([])
  memory.give(piece)
  await Promise.all(waiting)
  expect(order).toEqual(['first', 'second'])
})

test('memory to spare is there while more than half is left for the others', async () => {
  const memory = new PieceMemory(4)
  const [one, two] = [memory.takeSpare(), memory.takeSpare()]
  expect([one?.length, two?.length, memory.takeSpare()]).toEqual([pieceBytes, pieceBytes, undefined])
  await Promise.all([memory.take(), memory.take()])
  if (one) memory.give(one)
  expect(memory.takeSpare()).toBeUndefined()
})

afterEach(() => vi.unstubAllGlobals())

test('memory that could not be had once took a place for ever', async () => {
  const memory = new PieceMemory(1)
  vi.stubGlobal('WebAssembly', { Memory: () => undefined })
  await expect(memory.take()).rejects.toThrow()
  vi.unstubAllGlobals()
  expect(await memory.take()).toHaveLength(pieceBytes)
})
