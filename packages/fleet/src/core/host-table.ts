/** From the bytes of a host's name to what is known of it, without making a string each time. All bytes are compared: a hash alone decides nothing. */

const firstSlots = 1024
/** Bytes; no host name is longer, and what is longer is not even made a string. */
const longestName = 253

interface Entry<T> {
  readonly hash: number
  readonly name: Uint8Array
  readonly value: T
}

/** Open addressing with linear probing; at most half of the slots are taken. Nothing is ever removed. */
export class HostTable<T> {
  #slots = new Int32Array(firstSlots)
  /** Slot n holds the number of an entry plus one; 0: free. */
  readonly #entries: Entry<T>[] = []
  readonly #make: (name: string) => T | undefined

  /** @param make called for a name that is not in the table; undefined: it does not belong there */
  constructor(make: (name: string) => T | undefined) {
    this.#make = make
  }

  /** @param to exclusive; the bytes between are ASCII */
  find(bytes: Uint8Array, from: number, to: number): T | undefined {
    if (to - from > longestName) return undefined
    const hash = hashOf(bytes, from, to)
    const mask = this.#slots.length - 1
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const number = this.#slots[slot] as number
      if (number === 0) return this.#add(hash, new Uint8Array(bytes.subarray(from, to)))
      const entry = this.#entries[number - 1] as Entry<T>
      if (entry.hash === hash && isEqual(entry.name, bytes, from, to)) return entry.value
    }
  }

  /** @param name a copy: the buffer is read into again (and the `slice` of a Buffer is none) */
  #add(hash: number, name: Uint8Array): T | undefined {
    const value = this.#make(String.fromCharCode(...name))
    if (value === undefined) return undefined
    this.#entries.push({ hash, name, value })
    if (this.#entries.length * 2 > this.#slots.length) this.#grow()
    else this.#place(hash, this.#entries.length)
    return value
  }

  #grow(): void {
    this.#slots = new Int32Array(this.#slots.length * 2)
    for (const [k, { hash }] of this.#entries.entries()) this.#place(hash, k + 1)
  }

  #place(hash: number, number: number): void {
    const mask = this.#slots.length - 1
    let slot = hash & mask
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask
    this.#slots[slot] = number
  }
}

/** FNV-1a, its high bits folded in: the low ones alone pick the slot. */
function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5
  for (let k = from; k < to; k++) hash = Math.imul(hash ^ (bytes[k] as number), 0x01000193)
  return hash ^ (hash >>> 15)
}

function isEqual(name: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  if (name.length !== to - from) return false
  for (let k = 0; k < name.length; k++) if (name[k] !== bytes[from + k]) return false
  return true
}
