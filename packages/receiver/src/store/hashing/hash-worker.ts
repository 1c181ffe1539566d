/** The thread: hashes files from the memory that their writers write; what it has not had from there it reads behind them, a piece of each in turn. */
import { createHash, type Hash } from 'node:crypto'
import { readSync } from 'node:fs'
import { parentPort, receiveMessageOnPort } from 'node:worker_threads'
import type { FromWorker, ToWorker } from './messages.ts'

/** Fits the cache of a core, so that what was read is hashed from there. */
const pieceBytes = 256 * 1024
/** How often it says where it is. */
const tellBytes = 4 << 20

interface File {
  readonly id: number
  /** Undefined while nobody writes to it. */
  fd: number | undefined
  hash: Hash
  at: number
  kept: { readonly hash: Hash; readonly at: number } | undefined
  told: number
  upto: number
  /** Bytes whose hash is asked for. */
  wanted: number | undefined
}

if (!parentPort) throw new Error('this is the program of a worker thread')
const port = parentPort
const piece = Buffer.allocUnsafeSlow(pieceBytes)
const files = new Map<number, File>()
/** Files that are behind; each is in it once. */
const line = new Set<File>()

function say(message: FromWorker): void {
  port.postMessage(message)
}

function hear(message: ToWorker): void {
  const { id } = message
  const file = files.get(id) ?? made(id)
  if (message.say === 'attach') attach(file, message.fd, message.upto)
  else if (message.say === 'piece') take(file, message.from, message.bytes, message.upto)
  else if (message.say === 'grow') file.upto = message.upto
  else if (message.say === 'digest') ask(file, message.length)
  else if (message.say === 'keep') file.kept = { hash: file.hash.copy(), at: file.at }
  else leave(file, message.say === 'forget')
  settle(file)
}

function made(id: number): File {
  const file = { id, fd: undefined, hash: createHash('sha256'), at: 0, kept: undefined, told: 0, upto: 0, wanted: undefined }
  files.set(id, file)
  return file
}

function attach(file: File, fd: number, upto: number): void {
  // Other bytes may come in place of those that are taken back.
  if (file.kept && file.kept.at > upto) file.kept = undefined
  if (file.at > upto) {
    file.hash = file.kept?.hash.copy() ?? createHash('sha256')
    file.at = file.kept?.at ?? 0
  }
  Object.assign(file, { fd, upto, told: file.at, wanted: undefined })
  say({ say: 'at', id: file.id, at: file.at })
}

/** Nothing reads the descriptor from here on: its number may be somebody else's. */
function leave(file: File, forget: boolean): void {
  file.fd = undefined
  line.delete(file)
  if (forget) files.delete(file.id)
  else say({ say: 'left', id: file.id })
}

/** Whoever is behind reads these bytes from the file, once they are there. */
function take(file: File, from: number, bytes: Uint8Array, upto: number): void {
  file.upto = upto
  if (file.at === from) {
    file.hash.update(bytes)
    file.at += bytes.length
    file.told = file.at
  }
  say({ say: 'read', id: file.id, at: file.at })
}

function ask(file: File, length: number): void {
  file.upto = Math.max(file.upto, length)
  file.wanted = length
}

/** What is to be done for a file after it grew or was read. */
function settle(file: File): void {
  const { id, at } = file
  if (file.fd === undefined) return
  if (at - file.told >= tellBytes || (at === file.upto && at > file.told)) {
    file.told = at
    say({ say: 'at', id, at })
  }
  if (file.wanted === at) {
    file.wanted = undefined
    say({ say: 'digest', id, sha256: file.hash.copy().digest('hex') })
  }
  if (at < file.upto) line.add(file)
}

function readOn(file: File): void {
  line.delete(file)
  if (file.fd === undefined) return
  try {
    const read = readSync(file.fd, piece, 0, Math.min(pieceBytes, file.upto - file.at), file.at)
    if (read === 0) throw new Error('the file is shorter than what was written')
    file.hash.update(read === pieceBytes ? piece : piece.subarray(0, read))
    file.at += read
    settle(file)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    say({ say: 'unreadable', id: file.id, code, message })
  }
}

/** Between two pieces it listens: whoever leaves a file does not wait for the others'. */
port.on('message', (first: ToWorker) => {
  hear(first)
  // A file that was read and is still behind goes to the end of the line.
  for (const file of line) {
    readOn(file)
    for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port)) hear(next.message as ToWorker)
  }
})
