/** The proxy that breaks connections does exactly what its plan says, for what it does decides over other tests. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { ChaosProxy, type Fault, type Plan } from '../../support/chaos-proxy.ts'
import { between, seeded } from '../../support/seeded.ts'

const stack: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of stack.splice(0).reverse()) await close()
})

interface Seen {
  readonly got: Buffer[]
  readonly over: Promise<'end' | 'reset'>
  readonly socket: Socket
}

function watch(socket: Socket): Seen {
  const got: Buffer[] = []
  const { promise, resolve } = Promise.withResolvers<'end' | 'reset'>()
  socket
    .on('data', (chunk) => got.push(chunk))
    .on('end', () => resolve('end'))
    .on('error', () => resolve('reset'))
  return { got, over: promise, socket }
}

const bytesOf = (seen: Seen) => Buffer.concat(seen.got).toString('latin1')

/** A client and a server with the proxy between them. */
async function joined(plan: Plan): Promise<{ client: Seen; server: Seen; proxy: ChaosProxy }> {
  const listener: Server = createServer({ allowHalfOpen: true })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const accepted = once(listener, 'connection') as Promise<[Socket]>
  const proxy = await ChaosProxy.open(`http://127.0.0.1:${(listener.address() as AddressInfo).port}`, () => plan)
  const socket = connect({ port: Number(new URL(proxy.url).port), host: '127.0.0.1', allowHalfOpen: true })
  const client = watch(socket)
  const server = watch((await accepted)[0])
  stack.push(async () => {
    for (const each of [client.socket, server.socket]) each.destroy()
    await proxy[Symbol.asyncDispose]()
    listener.close()
  })
  return { client, server, proxy }
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve))
}

const text = 'the quick brown fox jumps over the lazy dog'

it('hands everything on, both ways and both ends, and counts it', async () => {
  const { client, server, proxy } = await joined({})
  client.socket.end(text)
  expect(await server.over).toBe('end')
  expect(bytesOf(server)).toBe(text)
  server.socket.end('heard')
  expect(await client.over).toBe('end')
  expect(bytesOf(client)).toBe('heard')
  expect(proxy.carried).toEqual({ up: text.length, down: 5 })
})

it.each([0, 1, 10, text.length])('cuts with FIN after exactly %d bytes', async (after) => {
  const { client, server } = await joined({ faults: [{ do: 'cut', on: 'up', after }] })
  client.socket.write(text)
  expect(await server.over).toBe('end')
  expect(bytesOf(server)).toBe(text.slice(0, after))
  expect(await client.over).toBe('end')
})

it('resets both sides with RST', async () => {
  const { client, server, proxy } = await joined({ faults: [{ do: 'reset', on: 'up', after: 4 }] })
  client.socket.write(text)
  expect(await Promise.all([client.over, server.over])).toEqual(['reset', 'reset'])
  expect(proxy.carried.up).toBe(4)
})

it('resets by the bytes of the answer', async () => {
  const { client, server } = await joined({ faults: [{ do: 'reset', on: 'down', after: 3 }] })
  server.socket.write('answer')
  expect(await client.over).toBe('reset')
})

it('stalls until it is released', async () => {
  const { client, server, proxy } = await joined({ faults: [{ do: 'stall', side: 'up', on: 'up', after: 10 }] })
  client.socket.write(text)
  server.socket.write('answer')
  await until(() => bytesOf(client) === 'answer' && bytesOf(server).length === 10)
  expect(proxy.done.stall).toBe(1)
  proxy.release()
  await until(() => bytesOf(server) === text)
})

it('holds the sender back while it stalls', async () => {
  const { client, proxy } = await joined({ faults: [{ do: 'stall', side: 'up', on: 'up', after: 10 }] })
  const block = Buffer.alloc(1 << 20)
  await until(() => proxy.done.stall === 1 || client.socket.write(text))
  for (let k = 0; k < 16; k++) client.socket.write(block)
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(client.socket.writableLength).toBeGreaterThan(0)
  expect(proxy.carried.up).toBe(10)
})

it('half-closes one direction and keeps the other', async () => {
  const { client, server } = await joined({ faults: [{ do: 'half-close', side: 'up', on: 'up', after: 5 }] })
  client.socket.write(text)
  expect(await server.over).toBe('end')
  expect(bytesOf(server)).toBe(text.slice(0, 5))
  server.socket.end('half an answer')
  expect(await client.over).toBe('end')
  expect(bytesOf(client)).toBe('half an answer')
})

it('swallows an answer although the question came through', async () => {
  const { client, server } = await joined({
    faults: [
      { do: 'swallow', side: 'down', on: 'up', after: text.length },
      { do: 'cut', on: 'up', after: text.length + 3 },
    ],
  })
  client.socket.write(text)
  await until(() => bytesOf(server) === text)
  server.socket.write('lost')
  await new Promise((resolve) => setTimeout(resolve, 20))
  client.socket.write('end')
  expect(await client.over).toBe('end')
  expect(bytesOf(client)).toBe('')
})

it('trickles: every byte arrives, few at a time', async () => {
  const trickle: Fault = { do: 'trickle', side: 'up', on: 'up', after: 0, bytes: 5, everyMs: 1 }
  const { client, server } = await joined({ faults: [trickle] })
  client.socket.end(text)
  expect(await server.over).toBe('end')
  expect(bytesOf(server)).toBe(text)
  expect(server.got.length).toBeGreaterThan(3)
})

it('goes to where it is aimed, and resets whom it cannot put through', async () => {
  const { proxy } = await joined({})
  const nobody = createServer()
  nobody.listen(0, '127.0.0.1')
  await once(nobody, 'listening')
  const { port } = nobody.address() as AddressInfo
  nobody.close()
  await once(nobody, 'close')
  proxy.aimAt(`http://127.0.0.1:${port}`)
  const client = watch(connect(Number(new URL(proxy.url).port), '127.0.0.1'))
  expect(await client.over).toBe('reset')
})

it('the same seed gives the same numbers, within their bounds', () => {
  const [one, same, other] = [seeded(7), seeded(7), seeded(8)].map((random) =>
    Array.from({ length: 1000 }, () => between(random, 3, 9)),
  )
  expect(one).toEqual(same)
  expect(one).not.toEqual(other)
  expect(new Set(one)).toEqual(new Set([3, 4, 5, 6, 7, 8, 9]))
})
