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

interface ExampleLine {
  readonly key: string
  readonly literal: string
  readonly comment: string
}

/** Every line of an example that sets a key, or would without its first character. */
function exampleLines(text: string): ExampleLine[] {
  let table = ''
  return text.split('\n').flatMap((line) => {
    table = /^(?:# )?\[([\w.]+)\]/.exec(line)?.[1]?.concat('.') ?? table
    const found = /^(?:# )?(\w+) = ("[^"]*"|\S+)(?: +# (.*))?$/.exec(line)
    if (!found) return []
    return [{ key: `${table}${found[1]}`, literal: found[2] as string, comment: found[3] ?? '' }]
  })
}

describe.each(programs)('$name', ({ name, program, schema, path, least }) => {
  const rows = tableRows(section(read('OPERATIONS.md'), `### ${name}`), 'key')
  const documented = rows.map((cells) => ({ key: codeWord(cells[0]), value: cells[1] as string, text: cells[2] as string }))

  /** The least file in which this key can stand. */
  const withRequired = (key: string): Record<string, unknown> => {
    const table = key.split('.').slice(0, -1).join('.')
    const siblings = documented.filter((row) => row.value === 'required' && row.key.startsWith(`${table}.`))
    const required = Object.fromEntries(siblings.map((row) => [row.key.slice(table.length + 1), 'https://receiver.lab:8443']))
    return siblings.length > 0 ? { ...least, [table]: required } : least
  }

  test('every key of the schema stands in OPERATIONS.md, and no other', () => {
    expect(documented.map(({ key }) => key).toSorted()).toEqual(schemaKeys(schema).toSorted())
  })

  test.each(documented)('$key: the documented default is what leaving it out means', ({ key, value, text }) => {
    expect(text).toMatch(/\w{3}/)
    if (value === 'required' || value === 'none') return
    const base = withRequired(key)
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

  const example = exampleLines(read(`etc/${name}.example`))

  test('every key that has an effect can be found in the example, once, and no other', () => {
    expect(example.map(({ key }) => key).toSorted()).toEqual(acting.map(({ key }) => key).toSorted())
  })

  test.each(example)('$key: its line in the example has its default, or names it in the comment', ({ key, literal, comment }) => {
    const named = /(?:^|; )(required|none|default: (.*))$/.exec(comment)
    const value = documented.find((row) => row.key === key)?.value
    if (value === 'required' || value === 'none') {
      expect(named?.[1]).toBe(value)
      return
    }
    expect(comment, 'a comment says what the key is for').toMatch(/\w{3}/)
    const base = withRequired(key)
    const text = withKey(base, key, named?.[2] ?? literal)
    expect(parseConfig(text, name, schema)).toEqual(parseConfig(stringify(base), name, schema))
  })

  test('every key that is not called reserved is read somewhere outside of the schema', () => {
    // The updater is a script.
    const places = [`packages/${program}/src/`, ...(program === 'agent' ? ['scripts/autoupdate/'] : [])]
    const mayRead = (file: string) => places.some((place) => file.startsWith(place)) && !file.endsWith('config.ts')
    const sources = repositoryFiles().filter(mayRead)
    const code = sources.map(read).join('\n')
    const left = acting.filter(({ key }) => !resolvedBySchema.has(key))
    expect(left.filter(({ key }) => !new RegExp(`\\b${leafOf(key)}\\b`).test(code)).map(({ key }) => key)).toEqual([])
  })
})
