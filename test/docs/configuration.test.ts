import { AgentConfig, defaultConfigFile as agentFile } from '@cis490/agent/config.ts'
import { FleetConfig, defaultConfigFile as fleetFile } from '@cis490/fleet/config.ts'
import { ReceiverConfig, defaultConfigFile as receiverFile } from '@cis490/receiver/config.ts'
import { parseConfig } from '@cis490/shared/node/config-file.ts'
import { stringify } from 'smol-toml'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { codeWord, read, repositoryFiles, section, tableRows } from './documents.ts'

interface Program {
  readonly name: string
  readonly program: string
  readonly schema: z.ZodType
  readonly path: string
  /** The least that a file has to say. */
  readonly least: Record<string, unknown>
}

const programs: Program[] = [
  { name: 'receiver.toml', program: 'receiver', schema: ReceiverConfig, path: receiverFile, least: {} },
  {
    name: 'lab-host.toml',
    program: 'agent',
    schema: AgentConfig,
    path: agentFile,
    least: { receiver: { url: 'https://receiver.lab:8443' } },
  },
  { name: 'fleet.toml', program: 'fleet', schema: FleetConfig, path: fleetFile, least: {} },
]

interface JsonSchema {
  readonly properties?: Record<string, JsonSchema>
}

/** The schema itself turns them into another key. */
const resolvedBySchema = new Set(['version_gate.enabled'])

/** Dotted paths of every key that the schema knows. */
function keysOf(schema: JsonSchema, prefix = ''): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, below]) =>
    below.properties ? keysOf(below, `${prefix}${name}.`) : [`${prefix}${name}`],
  )
}

function schemaKeys(schema: z.ZodType): string[] {
  return keysOf(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema)
}

function leafOf(key: string): string {
  return key.slice(key.lastIndexOf('.') + 1)
}

/** The least file, with one key set to a TOML literal. */
function withKey(least: Record<string, unknown>, key: string, literal: string): string {
  const path = key.split('.')
  const name = path.at(-1) as string
  const table = path.slice(0, -1).join('.')
  const { [table]: same, ...others } = least
  const tables = Object.entries(table === '' ? least : others).map(([other, value]) => stringify({ [other]: value }))
  const own = table === '' ? '' : `[${table}]\n${stringify((same ?? {}) as Record<string, unknown>)}`
  return `${own}${name} = ${literal}\n${tables.join('\n')}`
}

describe.each(programs)('$name', ({ name, program, schema, path, least }) => {
  const rows = tableRows(section(read('OPERATIONS.md'), `### ${name}`), 'key')
  const documented = rows.map((cells) => ({ key: codeWord(cells[0]), value: cells[1] as string, text: cells[2] as string }))

  test('every key of the schema stands in OPERATIONS.md, and no other', () => {
    expect(documented.map(({ key }) => key).toSorted()).toEqual(schemaKeys(schema).toSorted())
  })

  test.each(documented)('$key: the documented default is what leaving it out means', ({ key, value, text }) => {
    expect(text).toMatch(/\w{3}/)
    if (value === 'required' || value === 'none') return
    const table = key.split('.').slice(0, -1).join('.')
    const siblings = documented.filter((row) => row.value === 'required' && row.key.startsWith(`${table}.`))
    const required = Object.fromEntries(siblings.map((row) => [row.key.slice(table.length + 1), 'https://receiver.lab:8443']))
    const base = siblings.length > 0 ? { ...least, [table]: required } : least
    const set = parseConfig(withKey(base, key, codeWord(value)), name, schema)
    expect(set).toEqual(parseConfig(stringify(base), name, schema))
  })

  test.each(documented.filter(({ value }) => value === 'required'))('$key: is required', ({ key }) => {
    const table = key.split('.')[0] as string
    expect(() => parseConfig(stringify({ ...least, [table]: {} }), name, schema)).toThrow(key)
  })

  test('the example in etc parses, and installs where the program looks for it', () => {
    parseConfig(read(`etc/${name}.example`), `etc/${name}.example`, schema)
    expect(path).toBe(`/etc/cis490/${name}`)
  })

  const acting = documented.filter(({ text }) => !text.startsWith('reserved'))

  test('every key that has an effect can be found in the example, and no other', () => {
    const example = read(`etc/${name}.example`)
    const inExample = [...example.matchAll(/^(?:# )?(\w+) = /gm)].map((match) => match[1] as string)
    expect(new Set(inExample)).toEqual(new Set(acting.map(({ key }) => leafOf(key))))
  })

  test('every key that is not called reserved is read somewhere outside of the schema', () => {
    const sources = repositoryFiles().filter((file) => file.startsWith(`packages/${program}/src/`) && !file.endsWith('config.ts'))
    const code = sources.map(read).join('\n')
    const left = acting.filter(({ key }) => !resolvedBySchema.has(key))
    expect(left.filter(({ key }) => !new RegExp(`\\b${leafOf(key)}\\b`).test(code)).map(({ key }) => key)).toEqual([])
  })
})
