/** Lines of an index.jsonl for properties: rows as the receiver writes them, rows that are nearly so, and what no receiver ever wrote. */
import fc from 'fast-check'

export const timesFrom = Date.parse('2026-11-21T00:00:00Z')

/** As an agent's upload over mutual TLS leaves it, with every key that there is. */
export const canonicalLine = JSON.stringify({
  id: 'ep-20261121.0001_a',
  host: 'lab-07',
  sha256: 'b3175ecd6e8701e4f7af2c9f1fa8d8b8620493aa9e0710a003385efc5676f821',
  bytes: 8275,
  commit: 'c81c217c1274b84a26b53dc2cd1ba852b759115b',
  received_at: '2026-11-21T11:12:07.882Z',
  gate_position: 12,
  verdict: 'observe',
  schema_version: '2',
  dirty: false,
  cert_fingerprint: '52fc232b2f23e876ab892e8bca6465523ccccd754f44a28419aad4437a5bbafb',
  agent_version: '0.1.0',
  seq: 907,
  prev: 'ca5d79f3414c2240d216e28476a65ffc53ac761f1c4c919cb2d1f0a9e8b7c6d5',
})

const hex = (length: number) => fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length })
const time = fc.integer({ min: 0, max: 86_400_000 }).map((ms) => new Date(timesFrom + ms).toISOString())

const receipt = fc.record(
  {
    id: fc.constantFrom('ep-1', 'E.2_x', 'a'.repeat(128)),
    host: fc.constantFrom('lab-01', 'lab-02', 'a', 'constructor', 'lab.example.org', `${'h'.repeat(252)}1`),
    sha256: hex(64),
    bytes: fc.nat(),
    commit: fc.oneof(hex(40), hex(64)),
    received_at: time,
    gate_position: fc.integer({ min: 1, max: 99 }),
    verdict: fc.constantFrom('observe', 'waiver'),
    schema_version: fc.constantFrom('1', '2.0', ''),
    dirty: fc.boolean(),
    cert_fingerprint: hex(64),
    agent_version: fc.constantFrom('0.1.0', '0.2.0-rc.1+x'),
    seq: fc.integer({ min: 1 }),
    prev: hex(64),
  },
  { requiredKeys: ['id', 'host', 'sha256', 'bytes', 'received_at', 'seq', 'prev'] },
)

/** Values that a row of another time or hand may have. */
const strange: Record<string, readonly unknown[]> = {
  id: ['ü', 'a"b', 'a\\b', 'a\nb', '', 7, null],
  host: ['LAB-01', '../x', 'hôst', 'lab\u212a', '', 'a..b', 'x'.repeat(254), 'lab-01 ', 5, null, {}],
  sha256: ['short', null, 'Z'.repeat(64), '"'.repeat(64)],
  bytes: [-1, 1.5, 1e21, '7', null],
  commit: [null, '', 'a'.repeat(41), 'A'.repeat(40), 'a'.repeat(63), 0, true],
  received_at: [
    ...['2026-11-21T24:00:00.000Z', '2026-11-21T24:00:30.000Z', '2026-11-21T11:60:00.000Z', '2026-11-21T11:00:60.000Z'],
    ...['2026-02-30T11:00:00.000Z', '2026-13-01T11:00:00.000Z', '2026-11-21T11:00:00Z', '2026-11-21t11:00:00.000z'],
    ...['2026-11-21T11:00:00.000+01:00', '2026-11-21 11:00:00.000Z', '0000-01-01T00:00:00.000Z', '9999-12-31T23:59:59.999Z'],
    ...['2026-11-21T11:0a:00.000Z', '2026-11-21T11:00:0 .000Z', 'yesterday', '', 0, null],
  ],
  backfilled: [true, false, 'true'],
  note: ['x', 1, null, [], { host: 'lab-02' }],
  ['__proto__']: [1, { host: 'lab-02' }],
}
const change = fc
  .constantFrom(...Object.entries(strange))
  .chain(([key, values]) => fc.tuple(fc.constant(key), fc.constantFrom(...values)))

const written = receipt.map((row) => JSON.stringify(row))
const odd = fc
  .tuple(receipt, fc.array(change, { minLength: 1, maxLength: 2 }))
  .map(([row, changes]) => JSON.stringify({ ...row, ...Object.fromEntries(changes) }))
const shuffled = receipt.chain((row) =>
  fc.shuffledSubarray(Object.entries(row), { minLength: 5 }).map((keys) => JSON.stringify(Object.fromEntries(keys))),
)
/** A second member somewhere, of a key that may be there already: the last one counts. */
const doubled = fc.tuple(written, change, fc.nat()).map(([line, [key, value], n]) => {
  const places = [...line.matchAll(/[{,](?=")/g)].map((match) => match.index + 1)
  const at = places[n % places.length] as number
  return `${line.slice(0, at)}${JSON.stringify(key)}:${JSON.stringify(value)},${line.slice(at)}`
})
const escaped = fc.tuple(written, fc.nat()).map(([line, n]) => {
  const places = [...line.matchAll(/[a-z0-9]/g)].map((match) => match.index)
  const at = places[n % places.length] as number
  return `${line.slice(0, at)}\\u00${line.charCodeAt(at).toString(16)}${line.slice(at + 1)}`
})
const respaced = fc.tuple(written, fc.nat(), fc.constantFrom(' ', '\t', '\r')).map(([line, n, space]) => {
  const at = n % (line.length + 1)
  return line.slice(0, at) + space + line.slice(at)
})
const numbers = fc
  .tuple(written, fc.constantFrom('01', '-0', '1e3', '0', '1.0', '', '99999999999999999999', '+1'))
  .map(([line, n]) => line.replace(/"seq":\d+/, `"seq":${n}`))

const text = fc.oneof(
  { weight: 6, arbitrary: written },
  ...[odd, shuffled, doubled, escaped, respaced, numbers],
  written.map((line) => `${line}\r`),
  written.map((line) => `\ufeff${line}`),
  fc.tuple(written, fc.nat()).map(([line, n]) => line.slice(0, n % line.length)),
  fc.constantFrom('', '\r', '\0\0\0', '[]', 'null', '{}', '"', '{"torn":'),
)

/** A line without its newline; it may hold one all the same. */
export const aLine: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 8, arbitrary: text.map((line) => Buffer.from(line)) },
  fc.tuple(written, fc.uint8Array({ minLength: 1, maxLength: 3 }), fc.nat(), fc.nat(3)).map(([line, bytes, n, gone]) => {
    const row = Buffer.from(line)
    const at = n % row.length
    return Buffer.concat([row.subarray(0, at), bytes, row.subarray(at + gone)])
  }),
)

export function joined(lines: readonly Buffer[]): Buffer {
  return Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]))
}
