/** From the bytes of a host's name to what is known of it, without making a string each time. All bytes are compared: a hash alone decides nothing. */

const firstSlots = 1024
/** Bytes; no host name is longer, and what is longer is not even made a string. */
const longestName = 253
/** Bytes of the room that each name has: whole words of 4, zeros behind the name. */
const room = 256

interface Entry<T> {
  readonly hash: number
  readonly length: number
  readonly value: T
}

/** Open addressing with linear probing; at most half of the slots are taken. Nothing is ever removed. */
export class HostTable<T> {
  #slots = new Int32Array(firstSlots)
  /** Slot n holds the number of an entry plus one; 0: free. */
  readonly #entries: Entry<T>[] = []
  /** The name of entry n stands at n times the room. */
  #names = new DataView(new ArrayBuffer((firstSlots / 2 + 1) * room))
  readonly #make: (name: string) => T | undefined

  /** @param make called for a name that is not in the table; undefined: it does not belong there */
  constructor(make: (name: string) => T | undefined) {
    this.#make = make
  }

  /** @param to exclusive; the bytes between are ASCII, and 3 behind them are readable */
  find(bytes: DataView, from: number, to: number): T | undefined {
    const length = to - from
    if (length > longestName) return undefined
    const hash = hashOf(bytes, from, length)
    const mask = this.#slots.length - 1
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const number = this.#slots[slot] as number
      if (number === 0) return this.#add(bytes, from, length, hash)
      const entry = this.#entries[number - 1] as Entry<T>
      if (entry.hash === hash && entry.length === length && isEqual(this.#names, (number - 1) * room, bytes, from, length))
        return entry.value
    }
  }

  #add(bytes: DataView, from: number, length: number, hash: number): T | undefined {
    const name = new Uint8Array(bytes.buffer, bytes.byteOffset + from, length)
    const value = this.#make(String.fromCharCode(...name))
    if (value === undefined) return undefined
    const number = this.#entries.push({ hash, length, value })
    // A copy: the buffer is read into again.
    new Uint8Array(this.#names.buffer).set(name, (number - 1) * room)
    if (number * 2 > this.#slots.length) this.#grow()
    else this.#place(hash, number)
    return value
  }

  #grow(): void {
    this.#slots = new Int32Array(this.#slots.length * 2)
    this.#names = new DataView(longer(this.#names.buffer, (this.#slots.length / 2 + 1) * room))
    for (const [k, { hash }] of this.#entries.entries()) this.#place(hash, k + 1)
  }

  #place(hash: number, number: number): void {
    const mask = this.#slots.length - 1
    let slot = hash & mask
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask
    this.#slots[slot] = number
  }
}

function longer(buffer: ArrayBufferLike, length: number): ArrayBuffer {
  const made = new Uint8Array(length)
  made.set(new Uint8Array(buffer))
  return made.buffer
}

/** The word at `at`, zeros in place of what is behind the name. @param left bytes of the name from there */
const wordAt = (bytes: DataView, at: number, left: number): number => {
  const word = bytes.getInt32(at, true)
  return left >= 4 ? word : word & ((1 << (left << 3)) - 1)
}

/** The high bits are folded in, because the low ones alone pick the slot. 3 bytes behind the name are readable. */
export const hashOf = (bytes: DataView, from: number, length: number): number => {
  let hash = length
  for (let k = 0; k < length; k += 4) {
    hash = Math.imul(hash ^ wordAt(bytes, from + k, length - k), 0x9e3779b1)
    hash ^= hash >>> 15
  }
  return hash
}

const isEqual = (names: DataView, at: number, bytes: DataView, from: number, length: number): boolean => {
  for (let k = 0; k < length; k += 4) if (names.getInt32(at + k, true) !== wordAt(bytes, from + k, length - k)) return false
  return true
}
